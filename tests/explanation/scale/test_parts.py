"""Part by part is as all at once."""

import pytest
import torch
from torch import Generator

from fivefold.core.errors import BadInput
from fivefold.explanation import LIME, ExactShapley, IntegratedGradients, LeverageSHAP, explain_all
from seeding import seeded

EXPLAINERS = [ExactShapley(), LeverageSHAP(budget=30, draws=2), LIME(budget=80), IntegratedGradients()]  # fmt: skip


@pytest.mark.parametrize("explainer", EXPLAINERS, ids=lambda e: type(e).__name__)
def test_the_size_of_a_part_changes_nothing(explainer, trained, table):
    x, background = table.splits.test.x[:7], table.splits.seen.train.x[:10]
    (whole,) = explain_all(trained, x, background, explainer, rng=seeded(), size=7)
    parts = list(explain_all(trained, x, background, explainer, rng=seeded(), size=3))
    assert [len(p.values) for p in parts] == [3, 3, 1]
    assert torch.allclose(torch.cat([p.values for p in parts]), whole.values, atol=1e-6)
    assert torch.equal(torch.cat([p.is_converged for p in parts]), whole.is_converged)


def test_nothing_is_explained_before_it_is_asked_for(trained, table):
    asked = []

    class Slow:
        def __call__(self, model, x, background, *, rng: Generator):
            asked.append(len(x))
            return ExactShapley()(model, x, background, rng=rng)

    stream = explain_all(trained, table.splits.test.x[:9], table.splits.test.x[:3], Slow(), rng=seeded(), size=4)  # fmt: skip
    assert asked == []
    next(stream)
    assert asked == [4]
    list(stream)
    assert asked == [4, 4, 1]


def test_the_method_is_chosen_once_and_says_why(trained, table):
    x = table.splits.test.x[:4]
    found = list(explain_all(trained, x, x, rng=seeded(), size=2))
    assert {f.method for f in found} == {"ExactShapley"}


def test_no_rows_are_refused(trained, table):
    with pytest.raises(BadInput, match="at least one row"):
        next(explain_all(trained, table.splits.test.x[:0], table.splits.test.x[:3], rng=seeded()))
