"""The step: rounds, servers, drop-outs, what it refuses."""

from dataclasses import dataclass, replace

import pytest
import torch
from torch import nn

from federation import layout_of, local, mlp, ragged, read, site_of, twin
from fivefold.core.codec import construct, decode, encode
from fivefold.core.data import Seen
from fivefold.core.errors import BadInput, BadRecipe
from fivefold.core.step import Step
from fivefold.privacy import Federated
from fivefold.privacy.federated import (
    ByColumn,
    Dirichlet,
    Equal,
    FedAdam,
    FedYogi,
    Krum,
    Mean,
    Median,
    Plain,
    TrimmedMean,
)
from fivefold.privacy.federated.cohorts import Cohorts
from fivefold.privacy.federated.rounds import Controls, Rounds, controls_of
from seeding import seeded


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.net.parameters()])


def trained_by(step, model, data, seed=1):
    return step(model, data.splits.seen, rng=seeded(seed))


def right(model, data):
    test = data.splits.test
    return float((model.predict(test.x).argmax(-1) == test.y).double().mean())


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"proximal": 0.5, "epochs": 2},
        {"control_variates": True, "epochs": 2},
        {"server": FedAdam()},
        {"server": FedYogi()},
        {"aggregate": Median()},
        {"aggregate": TrimmedMean(), "sampling": "fixed"},
        {"aggregate": Krum(n_kept=3), "clients": Equal(n_clients=16), "sampling": "fixed"},
        {"dropout": 0.3, "clients": Dirichlet(n_clients=20, alpha=5.0)},
        {"batch_size": "all", "epochs": 5},
    ],
)
def test_every_kind_learns_and_every_engine_gives_the_same(given, untrained, table):
    step = Federated(lr=0.3, **given)
    models = [trained_by(replace(step, engine=e), untrained, table) for e in ("products", "serial")]
    assert float((weights(models[0]) - weights(models[1])).abs().max()) < 1e-4
    assert right(models[0], table) > 0.85


@pytest.mark.parametrize("which", ["images", "numbers"])
def test_it_trains_on_images_and_numbers(which, request):
    data = request.getfixturevalue(which)
    model = request.getfixturevalue(f"trained_{which}")
    step = Federated(rounds=2, lr=0.01)
    models = [trained_by(replace(step, engine=e), model, data) for e in ("stacked", "auto")]
    assert float((weights(models[0]) - weights(models[1])).abs().max()) < 1e-5
    assert not torch.equal(weights(models[0]), weights(model))


def rounds(net, sizes=(9, 4, 13, 6), *, how=None, **given):
    data, owner = ragged(list(sizes))
    site = site_of(net, data, owner, how or local(), "products")
    cohorts = given.pop("cohorts", Cohorts(rate=1.0, sampling="fixed", dropout=0.0))
    made = {"site": site, "cohorts": cohorts, "aggregate": Mean(), "server": Plain()} | given
    return Rounds(**made)  # type: ignore[arg-type]


def test_federated_averaging_is_the_mean_by_examples():
    net = mlp()
    run, start = rounds(net), read(net, layout_of(net))
    slow = twin(net, run.site, torch.arange(4))
    mean = sum(n * slow[i] for i, n in enumerate((9, 4, 13, 6))) / 32
    assert torch.allclose(run.run(start, 1, seeded()), start + mean, atol=1e-5)


def test_fedprox_without_pull_is_fedavg_and_pull_keeps_clients_near(untrained, table):
    runs = [trained_by(Federated(rounds=3, epochs=5, proximal=m), untrained, table) for m in (0.0, 1.0, 5.0)]  # fmt: skip
    plain = trained_by(Federated(rounds=3, epochs=5), untrained, table)
    assert torch.equal(weights(runs[0]), weights(plain))
    far = [float((weights(m) - weights(untrained)).norm()) for m in runs]
    assert far[0] > far[1] > far[2]


def test_scaffold_is_the_algorithm_of_the_paper():
    net, how, sizes = mlp(), local(epochs=2), (9, 4, 13, 6)
    start = read(net, layout_of(net))
    controls = Controls(server=torch.zeros_like(start), own=start.new_zeros(4, len(start)))
    run = rounds(net, sizes, how=how, controls=controls)
    found = run.run(start, 3, seeded())
    server, own, x = torch.zeros_like(start), torch.zeros(4, len(start)), start
    for round_ in range(3):
        at = mlp()
        nn.utils.vector_to_parameters(x, at.parameters())
        moved = twin(at, run.site, torch.arange(4), round_, drift=server - own)
        fresh = torch.stack([own[i] - server - moved[i] / (how.epochs * -(-n // 4) * how.lr) for i, n in enumerate(sizes)])  # fmt: skip
        server, own = server + (fresh - own).mean(0), fresh
        x = x + sum(n * moved[i] for i, n in enumerate(sizes)) / sum(sizes)
    assert torch.allclose(found, x, atol=1e-5)


@pytest.mark.parametrize("kind", [FedAdam, FedYogi])
def test_adaptive_servers_follow_the_paper(kind):
    rule, deltas = kind(lr=0.5, beta=0.8, beta_square=0.7, tau=0.1), [0.3, -0.2, 0.05, 0.0]
    x, m, v = 1.0, 0.0, 0.01
    at, past = torch.tensor([1.0]), rule.start(torch.tensor([1.0]))
    for d in deltas:
        m = 0.8 * m + 0.2 * d
        if kind is FedAdam:
            v = 0.7 * v + 0.3 * d * d
        else:
            v = v - 0.3 * d * d * (1 if v > d * d else -1 if v < d * d else 0)
        x += 0.5 * m / (v**0.5 + 0.1)
        at, past = rule.move(at, torch.tensor([d]), past)
        assert float(at) == pytest.approx(x, abs=1e-6)


@dataclass(frozen=True)
class Poisoned:
    """A fifth of the clients sends the opposite of what it found, many times over."""

    inner: Median | TrimmedMean | Krum | None

    def combine(self, updates):
        lies = updates.clone()
        lies[: len(updates) // 5] *= -30
        return lies.mean(0) if self.inner is None else self.inner.combine(lies)


def test_robust_aggregates_learn_among_liars_and_the_mean_does_not(untrained, table):
    step = Federated(clients=Equal(n_clients=10), rate=1.0, lr=0.3, rounds=10)
    reached = {
        str(rule): right(trained_by(replace(step, aggregate=Poisoned(rule)), untrained, table), table)
        for rule in (Median(), TrimmedMean(share=0.2), Krum(share=0.2), None)
    }  # fmt: skip
    assert reached.pop("None") < 0.6
    assert min(reached.values()) > 0.85


def test_cohorts_are_as_large_as_promised():
    fixed = Cohorts(rate=0.3, sampling="fixed", dropout=0.0)
    assert {len(fixed.draw(20, seeded(i))) for i in range(20)} == {6}
    coins = Cohorts(rate=0.3, sampling="poisson", dropout=0.0)
    sizes = torch.tensor([len(coins.draw(1000, seeded(i))) for i in range(50)]).double()
    assert abs(float(sizes.mean()) - 300) < 5 * (210 / 50) ** 0.5
    assert float(sizes.std()) == pytest.approx(210**0.5, rel=0.4)
    for ids in (fixed.draw(20, seeded()), coins.draw(20, seeded())):
        assert len(ids.unique()) == len(ids)


def test_drop_outs_leave_out_who_does_not_answer():
    half = Cohorts(rate=1.0, sampling="fixed", dropout=0.5)
    sizes = [len(half.draw(1000, seeded(i))) for i in range(20)]
    assert abs(sum(sizes) / 20 - 500) < 5 * (250 / 20) ** 0.5


def test_a_round_in_which_nobody_answers_changes_nothing():
    net = mlp()
    start = read(net, layout_of(net))
    nobody = Cohorts(rate=1e-12, sampling="poisson", dropout=0.0)
    for rule in (Mean(), Median(), Krum()):
        run = rounds(net, cohorts=nobody, aggregate=rule, server=FedAdam())
        assert torch.equal(run.run(start, 2, seeded()), start)


def test_who_drops_out_is_not_trained(untrained, table):
    all_of = trained_by(Federated(rounds=2), untrained, table)
    few = trained_by(Federated(rounds=2, dropout=0.9), untrained, table)
    assert not torch.equal(weights(all_of), weights(few))


def test_a_step_of_no_length_does_no_harm():
    """Updates of zero: no division by a norm, no NaN from an adaptive server."""
    net = mlp()
    start = read(net, layout_of(net))
    for rule in (Mean(), Median(), TrimmedMean(share=0.2), Krum(share=0.0)):
        for server in (Plain(), FedAdam(), FedYogi()):
            run = rounds(net, how=local(lr=0.0), aggregate=rule, server=server)
            assert torch.equal(run.run(start, 2, seeded()), start)


def test_it_reads_the_training_split_alone_and_names_a_column(untrained, table):
    seen = table.splits.seen
    train = seen.train._replace(x=seen.train.x.clone())
    train.x[:, 5] = (torch.arange(train.size) % 5).float()
    step = Federated(clients=ByColumn(column="c5"), rounds=2)
    a = step(untrained, Seen(train, seen.valid), rng=seeded())
    b = step(untrained, Seen(train, seen.valid.take(slice(0, 0))), rng=seeded())
    assert torch.equal(weights(a), weights(b))


def test_a_recipe_names_it_and_its_parts():
    made = decode(
        {
            "use": "privacy.Federated",
            "clients": {"use": "privacy.federated.ByColumn", "column": "c5"},
            "aggregate": {"use": "privacy.federated.Krum", "n_kept": 2},
            "server": {"use": "privacy.federated.FedYogi", "lr": 0.1},
        },
        Step,
    )
    assert made == Federated(
        clients=ByColumn(column="c5"), aggregate=Krum(n_kept=2), server=FedYogi(lr=0.1)
    )
    assert decode(encode(made), Step) == made


@pytest.mark.parametrize(
    "bad", [{"rounds": 0}, {"rate": 0.0}, {"rate": 1.1}, {"dropout": 1.0}, {"lr": 0.0}, {"epochs": 0},
            {"batch_size": 0}, {"proximal": -1.0}, {"engine": "fast"}, {"sampling": "all"},
            {"control_variates": True, "aggregate": Median()}]
)  # fmt: skip
def test_nonsense_is_refused_before_anything_runs(bad):
    with pytest.raises(BadRecipe):
        construct(Federated, bad, where="steps[0]")


class Counting(nn.Module):
    """Counts its batches in a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 2)
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x):
        self.count += 1
        return self.layer(x)


class Noisy(nn.Module):
    """Draws from torch's own generator without saying so."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 2)

    def forward(self, x):
        return self.layer(x + 0.01 * torch.randn_like(x))


@pytest.mark.parametrize(
    ("net", "match"),
    [
        (nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)), "statistics"),
        (nn.Sequential(nn.BatchNorm1d(6, track_running_stats=False), nn.Linear(6, 2)), "mixes"),
        (nn.Sequential(nn.Linear(6, 4), nn.Dropout(0.1), nn.Linear(4, 2)), "random"),
        (nn.Linear(6, 2).requires_grad_(False), "No weight"),
        (Counting(), "statistics"),
        (Noisy(), "random"),
    ],
)
def test_networks_that_clients_cannot_train_apart_are_refused(net, match, untrained, table):
    before = torch.random.get_rng_state()
    with pytest.raises(BadInput, match=match):
        trained_by(Federated(rounds=1), untrained.with_net(net), table)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_no_rows_and_weights_that_are_not_finite_are_refused(untrained, table):
    seen = table.splits.seen
    with pytest.raises(BadInput, match="no training examples"):
        Federated()(untrained, seen._replace(train=seen.train.take(slice(0, 0))), rng=seeded())
    with pytest.raises(BadInput, match="finite"):
        trained_by(Federated(lr=1e30, rounds=3), untrained, table)


def test_control_variates_that_do_not_fit_are_refused():
    with pytest.raises(BadRecipe, match="too much"):
        controls_of(torch.zeros(2**20), 2**9)
