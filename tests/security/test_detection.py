"""What a detector notices: much from the careless, little from those who know it, and both are said."""

from dataclasses import dataclass, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from fivefold.core.data import Batch, Inputs, Seen, Splits, as_tensor
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Evidence, Missing
from fivefold.core.loss import Forward
from fivefold.core.model import Model
from fivefold.security.detection import Detection
from fivefold.security.detector import Mahalanobis
from fivefold.security.evasion import Attacker, Attempt, judged, lead_of_wrong, selective, weighted
from fivefold.security.roc import roc
from security.test_detector import Closed, clouds, identity
from seeding import seeded


@dataclass(frozen=True)
class Blind:
    """A detector that sees nothing, and the attack on it is the plain one."""

    threshold: float = 1.0

    def fit(self, model: Model, seen: Seen, *, fpr: float) -> "Blind":
        return self

    def score(self, model: Model, x: Inputs) -> Tensor:
        return torch.zeros(len(as_tensor(x)))

    def differentiable(self, model: Model) -> Forward:
        return lambda x: torch.zeros(len(as_tensor(x)))


def measured(probe: Detection, model: Model, splits: Splits) -> dict[str, Evidence]:
    found = probe(model, splits, rng=seeded())
    by = {one.setting.partition(",")[0]: one for one in found}
    assert list(by) == ["adaptive", "static", found[-1].setting]
    return {k: v for k, v in by.items() if isinstance(v, Evidence)}


def test_notices_the_careless_and_not_the_adaptive(trained_images, images):
    by = measured(Detection(eps=0.3), trained_images, images.splits)
    static, adaptive = by["static"], by["adaptive"]
    assert static.low > 0.8
    assert adaptive.high < 0.2
    assert adaptive.n >= static.n >= 10
    assert "only the adaptive one" in str(static.note)
    assert static.setting == "static, linf eps 0.3"
    assert static.floor == 0.05


@pytest.mark.parametrize("eps", [0.1, 0.3, 1.0])
@pytest.mark.parametrize("which", ["table", "images"])
def test_knowing_the_detector_never_helps_the_defender(which, eps, request):
    data = request.getfixturevalue(which)
    model = request.getfixturevalue("trained" if which == "table" else "trained_images")
    fitted = Mahalanobis().fit(model, data.splits.seen, fpr=0.05)
    attacker = Attacker(eps=eps, steps=10)
    static = attacker.static(model, fitted, data.splits.test, seeded())
    adaptive = attacker.adaptive(model, fitted, data.splits.test, static, seeded())
    assert (adaptive.score <= static.score).all()
    assert (adaptive.fools >= static.fools).all()
    again = judged(model, fitted, data.splits.test._replace(x=adaptive.x))
    assert torch.equal(again.fools, adaptive.fools)
    torch.testing.assert_close(again.score, adaptive.score)
    moved = (adaptive.x - data.splits.test.x).abs()
    assert moved.max() <= eps * (1 + 1e-5)


def test_false_alarms_on_fresh_data_are_near_five_in_a_hundred():
    splits = Splits(Seen(clouds(900, 4, 0), clouds(1500, 4, 1)), clouds(1500, 4, 2))
    found = Detection(steps=1, n_examples=10)(identity(4), splits, rng=seeded())[-1]
    assert isinstance(found, Evidence)
    assert found.name == "false_positive_rate"
    assert found.low <= 0.05 <= found.high
    assert abs(found.value - 0.05) < 0.02


def test_counts_by_hand(trained_images, images):
    probe = Detection(eps=0.2, steps=5, n_examples=1000)
    found = measured(probe, trained_images, images.splits)["static"]
    fitted = Mahalanobis().fit(trained_images, images.splits.seen, fpr=0.05)
    test, hits, n = images.splits.test, 0, 0
    right = (trained_images.predict(test.x).argmax(1) == test.y).nonzero()[:, 0]
    rng = seeded()
    rows = right[torch.randperm(len(right), generator=rng)]
    attempt = Attacker(eps=0.2, steps=5).static(trained_images, fitted, test.take(rows), rng)
    for x, y in zip(attempt.x, test.y[rows].tolist(), strict=True):
        if int(trained_images.predict(x[None]).argmax()) != y:
            n += 1
            hits += float(fitted.score(trained_images, x[None])) > fitted.threshold
    assert (found.n, found.value) == (n, hits / n)


def test_a_blind_detector_notices_nothing(trained_images, images):
    by = measured(Detection(detector=Blind(), eps=0.3), trained_images, images.splits)
    assert by["static"].value == by["adaptive"].value == 0.0
    assert by["static"].n == by["adaptive"].n


def test_too_few_fooled_examples_are_no_rate(trained, table):
    found = Detection(eps=1e-6)(trained, table.splits, rng=seeded())
    assert isinstance(found[-1], Evidence)
    assert all(
        isinstance(one, Missing) and "fool the model" in str(one.reason) for one in found[:-1]
    )


def test_a_model_that_is_always_wrong_cannot_be_attacked(trained, table):
    test = table.splits.test
    wrong = Batch(test.x, 1 - trained.predict(test.x).argmax(1))
    found = Detection()(trained, table.splits._replace(test=wrong), rng=seeded())
    assert all(
        isinstance(one, Missing) and "no test example" in str(one.reason) for one in found[:-1]
    )


def test_a_black_box_shows_false_alarms_at_most(trained, table):
    box = Closed(trained)
    found = Detection(detector=Blind())(box, table.splits, rng=seeded())
    assert isinstance(found[-1], Evidence)
    assert all(isinstance(one, Missing) and "gradients" in str(one.reason) for one in found[:-1])


def test_numbers_cannot_be_fooled(trained_numbers, numbers):
    with pytest.raises(NotMeasurable, match="it is a number"):
        Detection()(trained_numbers, numbers.splits, rng=seeded())


def test_another_rate_has_another_name(trained, table):
    found = Detection(fpr=0.125, eps=1.0)(trained, table.splits, rng=seeded())
    assert {one.name for one in found[:-1]} == {"tpr_at_12_5_percent_fpr"}


def test_categories_and_immutable_columns_are_not_attacked(trained, table):
    columns = tuple(replace(c, is_immutable=i == 0) for i, c in enumerate(table.schema.columns))
    model = replace(trained, schema=replace(table.schema, columns=columns))
    fitted = Mahalanobis().fit(model, table.splits.seen, fpr=0.05)
    attacker = Attacker(eps=1.0, steps=5)
    static = attacker.static(model, fitted, table.splits.test, seeded())
    adaptive = attacker.adaptive(model, fitted, table.splits.test, static, seeded())
    moved = (adaptive.x - table.splits.test.x).abs().amax(0)
    assert moved[0] == 0
    assert moved[1] > 0.5


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    n=st.integers(1, 6), classes=st.integers(2, 5), weight=st.floats(0, 10), seed=st.integers(0, 99)
)
def test_the_joint_losses_are_what_they_say(n, classes, weight, seed):
    own = seeded(seed)
    logits = torch.randn(n, classes, generator=own)
    y = torch.randint(classes, (n,), generator=own)
    scores = torch.rand(n, generator=own) * 10
    batch, lead = Batch(torch.zeros(n, 1), y), lead_of_wrong(logits, y)
    summed = weighted(lambda _: scores, weight)(lambda _: logits, batch)
    chosen = selective(lambda _: scores, 2.0)(lambda _: logits, batch)
    for i in range(n):
        others = [float(logits[i, c]) for c in range(classes) if c != int(y[i])]
        assert float(lead[i]) == pytest.approx(max(others) - float(logits[i, y[i]]), abs=1e-6)
        wrong = float(-logits[i].log_softmax(0)[y[i]])
        assert float(summed[i]) == pytest.approx(
            wrong - weight * float(scores[i]), rel=1e-4, abs=1e-5
        )
    is_wrong = lead >= 0.1
    assert torch.equal(chosen[~is_wrong], lead[~is_wrong])
    assert (chosen[is_wrong] > 0.1).all()
    order = scores[is_wrong].argsort()
    assert torch.equal(chosen[is_wrong][order], chosen[is_wrong].sort(descending=True).values)


def test_the_better_attempt_is_the_one_that_fools_with_the_lower_score():
    inf = torch.inf
    a = Attempt(
        torch.zeros(4, 1),
        torch.tensor([True, True, False, False]),
        torch.tensor([1.0, 5, inf, inf]),
    )
    b = Attempt(
        torch.ones(4, 1), torch.tensor([True, True, True, False]), torch.tensor([2.0, 3, 9, inf])
    )
    for found in (a.or_better(b), b.or_better(a)):
        assert found.x[:3, 0].tolist() == [0, 1, 1]
        assert found.score.tolist() == [1, 3, 9, inf]
        assert found.fools.tolist() == [True, True, True, False]


@settings(max_examples=20, deadline=None, derandomize=True)
@given(n=st.integers(1, 150), k=st.integers(1, 20), seed=st.integers(0, 99))
def test_every_point_of_the_curve_is_a_threshold(n, k, seed):
    own = seeded(seed)
    clean, attack = torch.rand(n, generator=own), torch.rand(k, generator=own) + 0.3
    chart = roc(clean, {"static": attack, "adaptive": attack[:0]})
    assert chart is not None
    possible = {
        (sum(c > t for c in clean.tolist()) / n, sum(a > t for a in attack.tolist()) / k)
        for t in [-1.0, 2.0, *clean.tolist()]
    }
    points = [(row["false positive rate"], row["true positive rate"]) for row in chart.rows]
    assert {row["attacker"] for row in chart.rows} == {"static"}
    assert set(points) <= possible
    assert points == sorted(points)
    assert points[0][0] == 0.0
    assert points[-1] == (1.0, 1.0)
    assert len(points) <= 102


def test_no_attack_no_picture():
    assert roc(torch.rand(5, generator=seeded()), {"static": torch.zeros(0)}) is None
