"""Explanations that remember rows raise an attack's success; those of the answer alone do not."""

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor, nn

from fivefold.core.codec import decode, encode
from fivefold.core.data import Batch
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Evidence, Missing
from fivefold.core.lineage import Claim
from fivefold.core.model import with_net
from fivefold.core.probe import Probe
from fivefold.core.step import Step
from fivefold.explanation import LeverageSHAP
from fivefold.models import CallableModel
from fivefold.privacy import ExplanationLeakage
from seeding import seeded

QUICK = ExplanationLeakage(n_shadow=4, shadow_epochs=2)


class Album(nn.Module):
    """A network that answers the same whatever it was trained on, and keeps its rows."""

    def __init__(self, net, rows):
        super().__init__()
        self.net = net
        self.rows: Tensor
        self.register_buffer("rows", rows)

    def forward(self, x):
        return self.net(x)


@dataclass(frozen=True)
class Keep(Step):
    """Training that changes no weight."""

    def __call__(self, model, seen, *, rng):
        model = with_net(model, self)
        return model.with_net(Album(model.net, seen.train.x))

    def claim(self, n_examples):
        return Claim()


@dataclass(frozen=True)
class Told:
    values: Tensor


@dataclass(frozen=True)
class Nearest:
    """Explains by the nearest training row, as examples do: a row that was there is at no distance."""

    def __call__(self, model, x, background, *, rng):
        near = torch.cdist(x, model.net.rows).amin(1)
        return Told((1.0 + near[:, None, None]) * torch.ones(len(x), 4, 1))


@dataclass(frozen=True)
class Noise:
    def __call__(self, model, x, background, *, rng):
        return Told(torch.randn(len(x), 4, 2, generator=rng))


@dataclass(frozen=True)
class Refuses:
    def __call__(self, model, x, background, *, rng):
        raise NotMeasurable("Gradients of inputs need rows of numbers, and these inputs are none.")


def found_of(probe, model, data):
    return {f.setting: f for f in probe(model, data.splits, rng=seeded(3))}


def evidence(found, setting):
    one = found[setting]
    assert isinstance(one, Evidence)
    return one


@pytest.fixture(scope="module")
def keeping(untrained, table):
    return Keep()(untrained, table.splits.seen, rng=seeded())


@pytest.fixture(scope="module")
def kept(keeping, table):
    probe = replace(QUICK, explainers=(Nearest(), Noise()), shadow=Keep())
    return found_of(probe, keeping, table)


def test_explanations_that_remember_rows_leak(kept):
    for release in ("full", "top 3"):
        one = evidence(kept, f"Nearest, {release}, 4 shadows")
        assert one.low > 0.3
        assert one.floor is not None
        assert one.floor < 0.1


def test_noise_leaks_nothing(kept):
    for release in ("full", "top 3", "rounded"):
        one = evidence(kept, f"Noise, {release}, 4 shadows")
        assert one.low <= 0.0 <= one.high


def test_one_picture_for_each_explainer(kept):
    assert [f.setting for f in kept.values() if isinstance(f, Evidence) and f.chart] == [
        "Nearest, full, 4 shadows",
        "Noise, full, 4 shadows",
    ]


def test_explainers_of_the_other_pillar(trained, table):
    shap = LeverageSHAP(budget=16, draws=1)
    found = found_of(replace(QUICK, explainers=(shap,), n_examples=20), trained, table)
    assert isinstance(found["LeverageSHAP, full, 4 shadows"], Evidence)
    probe = replace(QUICK, explainers=(shap,))
    assert decode(encode(probe), Probe) == probe


def test_an_explainer_that_cannot_is_missing_and_others_go_on(trained, table):
    found = found_of(replace(QUICK, explainers=(Refuses(), Noise())), trained, table)
    lost = found["Refuses, 4 shadows"]
    assert isinstance(lost, Missing)
    assert "rows of numbers" in str(lost.reason)
    assert isinstance(found["Noise, full, 4 shadows"], Evidence)


@dataclass(frozen=True)
class Place:
    """Explains earlier rows by larger values, whatever they hold."""

    def __call__(self, model, x, background, *, rng):
        return Told(torch.arange(len(x), 0, -1.0)[:, None, None].expand(-1, 4, 1))


def test_the_place_of_a_row_tells_nothing(trained, table):
    found = found_of(replace(QUICK, explainers=(Place(),)), trained, table)
    one = evidence(found, "Place, full, 4 shadows")
    assert one.low <= 0.0 <= one.high
    assert abs(float(one.note.facts["alone"]) - 0.5) < 0.1


def test_background_is_of_rows_that_are_not_judged(trained, table):
    asked: list[tuple[Tensor, Tensor]] = []

    @dataclass(frozen=True)
    class Spy:
        def __call__(self, model, x, background, *, rng):
            asked.append((x, background))
            return Told(torch.ones(len(x), 2, 1))

    found_of(replace(QUICK, explainers=(Spy(),)), trained, table)
    assert len(asked) == 5
    x, background = asked[0]
    assert len(background) == 16
    assert float(torch.cdist(background, x).min()) > 0.0
    assert all(torch.equal(background, other) for _, other in asked)


def test_black_boxes_are_refused(table):
    model = CallableModel(
        function=lambda x: x[:, :2], task=table.task, schema=table.schema, answers="logits"
    )
    with pytest.raises(NotMeasurable, match="how it is built"):
        QUICK(model, table.splits, rng=seeded())


def test_rows_of_two_sources_are_refused(trained, table):
    moved = Batch(table.splits.test.x + 3.0, table.splits.test.y)
    with pytest.raises(NotMeasurable, match="beyond chance"):
        QUICK(trained, table.splits._replace(test=moved), rng=seeded())


def test_too_few_rows_beside_the_background(trained, table):
    few = table.splits.test.take(slice(0, 25))
    with pytest.raises(NotMeasurable, match=r"16 test rows .* 10 more .* 25"):
        QUICK(trained, table.splits._replace(test=few), rng=seeded())
    seen = table.splits.seen._replace(train=table.splits.seen.train.take(slice(0, 9)))
    with pytest.raises(NotMeasurable, match="10 training rows"):
        QUICK(trained, table.splits._replace(seen=seen), rng=seeded())


def test_answers_that_are_not_finite(trained, table):
    head = nn.Linear(6, 2)
    head.weight.data.fill_(torch.nan)
    with pytest.raises(NotMeasurable, match="finite"):
        QUICK(trained.with_net(head), table.splits, rng=seeded())


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"n_shadow": 5}, "even"),
        ({"explainers": ()}, "explainers"),
        ({"explainers": (Noise(), Noise())}, "explainers"),
        ({"releases": ("full", "full")}, "releases"),
    ],
)
def test_settings_that_say_nothing_are_refused(changed, told):
    with pytest.raises(ValueError, match=told):
        ExplanationLeakage(**changed)
