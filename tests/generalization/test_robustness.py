"""Adversarial training and robust accuracy: closed forms, their point, and networks that hide their gradients."""

from typing import Any

import pytest
import torch
from torch import nn

from fivefold.core.data import Batch, Dataset, Seen, Splits
from fivefold.core.errors import NotMeasurable
from fivefold.core.loss import cross_entropy, loss_of
from fivefold.core.probe import Probe
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.generalization import AdversarialTraining, RobustAccuracy
from fivefold.generalization.survey import Attacker, falls, vanished_share
from fivefold.learning import Finetune
from fivefold.models import MLP, TorchModel, fresh
from seeding import seeded


def run(probe: Probe, model: Any, splits: Splits, seed: int = 0) -> Any:
    return probe(model, splits, rng=seeded(seed))


def plain_table(width):
    return Schema(columns=tuple(Column(name=f"c{i}") for i in range(width)), shape=(width,))


def splits_of(x, y, train, valid):
    return Splits(
        Seen(Batch(x[:train], y[:train]), Batch(x[train:valid], y[train:valid])),
        Batch(x[valid:], y[valid:]),
    )


@pytest.fixture(scope="module")
def tempting():
    """One strong honest column, and twenty weak ones that an attacker can turn (Tsipras et al., 2019)."""
    rng = seeded(5)
    y = torch.arange(1500) % 2
    sign = (2 * y - 1).float()
    strong = sign * torch.where(torch.rand(1500, generator=rng) < 0.9, 1.0, -1.0)
    weak = 0.3 * sign[:, None] + 0.5 * torch.randn(1500, 20, generator=rng)
    x = torch.cat([strong[:, None], weak], 1)
    schema, task = plain_table(21), Task(classes=("a", "b"))
    return Dataset("tempting", splits_of(x, y, 1000, 1100), schema, task, "tempting")


@pytest.fixture(scope="module")
def plain(tempting):
    start = fresh(MLP(hidden=(16,)), tempting, seeded())
    return Finetune(epochs=20)(start, tempting.splits.seen, rng=seeded())


def robust(model, data):
    probe = RobustAccuracy(eps=0.4, steps=10, queries=50)
    return run(probe, model, data.splits, 1)[0]


def test_adversarial_training_raises_robust_accuracy(tempting, plain):
    start = fresh(MLP(hidden=(16,)), tempting, seeded())
    step = AdversarialTraining(eps=0.4, attack_steps=3, epochs=20)
    hardened = step(start, tempting.splits.seen, rng=seeded())
    assert robust(hardened, tempting).low > robust(plain, tempting).high


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_worst_loss_of_a_linear_network_is_known(norm):
    rng = seeded(3)
    net = nn.Linear(5, 2)
    x, y = torch.randn(12, 5, generator=rng), torch.arange(12) % 2
    step = AdversarialTraining(eps=0.3, norm=norm, attack_steps=40)
    got = step.worst_case(cross_entropy, plain_table(5).space(), 7)(net, Batch(x, y))
    w = net.weight[1] - net.weight[0]
    length = w.abs().sum() if norm == "linf" else w.norm()
    margin = (2 * y - 1) * (x @ w + net.bias[1] - net.bias[0])
    torch.testing.assert_close(
        got, nn.functional.softplus(-(margin - 0.3 * length)), atol=1e-4, rtol=0
    )


def test_clean_share_mixes_the_two_losses(trained, table):
    batch, space = table.splits.seen.valid, table.schema.space()
    losses = [
        AdversarialTraining(clean_share=share).worst_case(cross_entropy, space, 1)(
            trained.net, batch
        )
        for share in (0.0, 0.25, 1.0)
    ]
    torch.testing.assert_close(losses[1], 0.75 * losses[0] + 0.25 * losses[2])
    torch.testing.assert_close(losses[2], cross_entropy(trained.net, batch))


def test_the_attack_starts_the_same_after_a_resume(trained, table):
    """A batch's random start depends on the batch, not on how many came before it."""
    space, train = table.schema.space(), table.splits.seen.train
    first, second = train.take(slice(0, 32)), train.take(slice(32, 64))
    loss = AdversarialTraining(attack_steps=1).worst_case(cross_entropy, space, 9)
    alone = loss(trained.net, second)
    loss(trained.net, first)
    assert torch.equal(loss(trained.net, second), alone)
    other = AdversarialTraining(attack_steps=1).worst_case(cross_entropy, space, 10)
    assert not torch.equal(other(trained.net, second), alone)


def test_the_attack_leaves_running_statistics_alone(table):
    norm = nn.BatchNorm1d(8)
    net = nn.Sequential(nn.Linear(6, 8), norm, nn.ReLU(), nn.Linear(8, 2)).train()
    batch = table.splits.seen.train.take(slice(0, 32))
    AdversarialTraining().worst_case(cross_entropy, table.schema.space(), 9)(net, batch)
    assert net.training
    assert int(norm.num_batches_tracked) == 1  # type: ignore[arg-type]


def test_numbers_can_be_hardened_too(trained_numbers, numbers):
    step = AdversarialTraining(eps=0.1, epochs=1, attack_steps=2)
    after = step(trained_numbers, numbers.splits.seen, rng=seeded())
    assert not torch.equal(
        after.predict(numbers.splits.test.x), trained_numbers.predict(numbers.splits.test.x)
    )
    batch, space = numbers.splits.test, numbers.schema.space()
    loss = loss_of(numbers.task)
    worst = step.worst_case(loss, space, 1)(trained_numbers.net, batch).mean()
    assert worst > loss(trained_numbers.net, batch).mean()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_robust_accuracy_of_a_linear_network_is_exact(norm, tempting):
    net = nn.Linear(21, 2)
    with torch.no_grad():
        net.weight.normal_(generator=seeded(8))
        net.bias.zero_()
    model = TorchModel(net, tempting.task, tempting.schema, MLP())
    found = run(RobustAccuracy(eps=0.05, norm=norm), model, tempting.splits)
    w = (net.weight[1] - net.weight[0]).detach()
    test = tempting.splits.test
    margin = (2 * test.y - 1) * (test.x @ w)
    length = w.abs().sum() if norm == "linf" else w.norm()
    assert found[1].value == float((margin > 0).double().mean())
    assert found[0].value == float((margin > 0.05 * length).double().mean())
    for row in found[0].chart.rows:
        assert row["accuracy"] == float((margin > row["eps"] * length).double().mean())


class Rounded(nn.Module):
    """A network behind a quantiser: right answers as before, and no gradient at all."""

    def __init__(self, net, grid):
        super().__init__()
        self.net, self.grid = net, grid

    def forward(self, x):
        return self.net((x / self.grid).round() * self.grid)


class Saturated(nn.Module):
    """The same answers with logits so large that cross-entropy has no gradient left."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x) * 1e5


def is_alarmed(evidence):
    return evidence.note.words().startswith("Gradients are masked")


def test_a_quantised_input_trips_the_guard_and_hides_little(tempting, plain):
    honest = robust(plain, tempting)
    hidden = robust(plain.with_net(Rounded(plain.net, 0.1)), tempting)
    assert not is_alarmed(honest)
    assert is_alarmed(hidden)
    assert (
        vanished_share(Rounded(plain.net, 0.1), tempting.splits.test, tempting.schema.space()) == 1
    )
    attacker = Attacker(norm="linf", steps=10, restarts=1, queries=50)
    net = Rounded(plain.net, 0.1)
    (fall,) = falls(net, tempting.splits.test, tempting.schema.space(), [0.4], attacker, 1)
    assert fall.by_search > 0
    assert fall.n_searched > fall.by_search
    assert hidden.value < hidden.chart.rows[0]["accuracy"] - 0.1


def test_saturated_logits_trip_the_guard_and_hide_nothing(tempting, plain):
    hidden = robust(plain.with_net(Saturated(plain.net)), tempting)
    assert is_alarmed(hidden)
    assert abs(hidden.value - robust(plain, tempting).value) <= 0.01


def test_the_curve_falls_and_speaks_of_the_examples_it_used(tempting, plain):
    found = run(RobustAccuracy(eps=0.2, examples=60, steps=3), plain, tempting.splits)
    accuracy = [row["accuracy"] for row in found[0].chart.rows]
    assert accuracy == sorted(accuracy, reverse=True)
    assert accuracy[0] == found[1].value
    assert found[0].n == 60
    assert found[0].setting == "linf eps 0.2"


def test_no_radius_is_clean_accuracy(tempting, plain):
    under, clean = run(RobustAccuracy(eps=0.0, steps=1), plain, tempting.splits)
    assert clean.value == under.value


def test_numbers_and_black_boxes_are_not_measurable(trained_numbers, numbers, trained, table):
    class Answers:
        task, schema, lineage = table.task, table.schema, ()
        predict = staticmethod(trained.predict)

        def with_lineage(self, lineage):
            return self

    with pytest.raises(NotMeasurable, match="classes"):
        run(RobustAccuracy(), trained_numbers, numbers.splits)
    with pytest.raises(NotMeasurable, match="gradients"):
        run(RobustAccuracy(), Answers(), table.splits)
    words = {"ids": table.splits.seen.train.x}
    seen = table.splits.seen._replace(train=Batch(words, table.splits.seen.train.y))
    with pytest.raises(NotMeasurable, match="pixels"):
        AdversarialTraining()(trained, seen, rng=seeded())
