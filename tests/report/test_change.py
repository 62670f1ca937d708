from dataclasses import replace
from math import inf, sqrt
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.evidence import Axis, Evidence
from fivefold.core.interval import wilson
from fivefold.report import Change, change


def evidence(value, low=None, high=None, **more: Any) -> Evidence:
    base: dict[str, Any] = {
        "axis": Axis.LEARNING,
        "name": "accuracy",
        "n": 9,
        "unit": "fraction",
        "better": "higher",
    }
    bounds: dict[str, Any] = {
        "low": value if low is None else low,
        "high": value if high is None else high,
    }
    return Evidence(value=value, **(base | bounds | more))


def changed(before: Evidence, after: Evidence) -> Change:
    found = change(before, after)
    assert found
    return found


def by_the_paper(before: Evidence, after: Evidence) -> tuple[float, float]:
    """Zou and Donner (2008), equation 2: L, U of theta1 - theta2."""
    l1, t1, u1 = after.low, after.value, after.high
    l2, t2, u2 = before.low, before.value, before.high
    return t1 - t2 - sqrt((t1 - l1) ** 2 + (u2 - t2) ** 2), t1 - t2 + sqrt(
        (u1 - t1) ** 2 + (t2 - l2) ** 2
    )


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(0, 60), st.integers(0, 40))
def test_it_is_what_the_paper_says(first, second):
    before = evidence(first / 60, *wilson(first, 60))
    after = evidence(second / 40, *wilson(second, 40))
    found = changed(before, after)
    assert (found.low, found.high) == pytest.approx(by_the_paper(before, after))


@pytest.mark.parametrize(("p", "q", "n"), [(0.9, 0.8, 60), (0.5, 0.5, 40), (0.98, 0.6, 100)])
def test_the_interval_covers_the_true_difference_in_95_of_100_experiments(p, q, n):
    own = torch.Generator().manual_seed(7)
    chances = torch.tensor([p, q], dtype=torch.float64).expand(2000, 2)
    hits = torch.binomial(
        torch.full((2000, 2), float(n), dtype=torch.float64), chances, generator=own
    )
    covered = 0
    for a, b in hits.int().tolist():
        found = changed(evidence(a / n, *wilson(a, n)), evidence(b / n, *wilson(b, n)))
        covered += found.low <= q - p <= found.high
    assert 0.935 <= covered / 2000 <= 0.985


def test_it_is_conservative_when_both_stages_answer_the_same_examples():
    own, n, covered = torch.Generator().manual_seed(3), 100, 0
    for _ in range(1000):
        luck = torch.rand(
            n, generator=own
        )  # an example that is easy for one stage is easy for the other
        a, b = int((luck < 0.9).sum()), int((luck < 0.8).sum())
        found = changed(evidence(a / n, *wilson(a, n)), evidence(b / n, *wilson(b, n)))
        covered += found.low <= -0.1 <= found.high
    assert covered / 1000 > 0.98


@pytest.mark.parametrize(
    ("better", "before", "after", "wanted"),
    [
        ("higher", (0.5, 0.4, 0.6), (0.9, 0.85, 0.95), "better"),
        ("lower", (0.5, 0.4, 0.6), (0.9, 0.85, 0.95), "worse"),
        ("higher", (0.9, 0.85, 0.95), (0.5, 0.4, 0.6), "worse"),
        ("higher", (0.5, 0.4, 0.6), (0.55, 0.45, 0.65), "uncertain"),
        ("higher", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "same"),
        ("lower", (3.0, 3.0, 3.0), (inf, inf, inf), "worse"),
        ("lower", (inf, inf, inf), (3.0, 3.0, 3.0), "better"),
        ("lower", (inf, inf, inf), (inf, inf, inf), "same"),
        ("lower", (inf, 3.0, inf), (inf, 2.0, inf), "uncertain"),
        ("higher", (0.5, -inf, inf), (0.9, 0.9, 0.9), "uncertain"),
    ],
)
def test_a_judgement_needs_an_interval_that_leaves_out_zero(better, before, after, wanted):
    found = changed(evidence(*before, better=better), evidence(*after, better=better))
    assert found.judgement == wanted
    assert found.low <= found.value <= found.high


@pytest.mark.parametrize(
    "odd", [{"unit": "bytes"}, {"better": "lower"}, {"setting": "eps 2"}, {"name": "f1"}]
)
def test_unlike_numbers_have_no_change(odd):
    assert change(evidence(0.5), evidence(0.5, **odd)) is None


def test_times_that_may_not_be_subtracted_have_no_change():
    a = Evidence(
        axis=Axis.EFFICIENCY, name="latency_p50", value=1.0, low=0.9, high=1.1, n=100,
        unit="seconds", better="lower", is_comparable=False,
    )  # fmt: skip
    assert change(a, replace(a, value=2.0, low=1.9, high=2.1)) is None
    once = replace(a, is_comparable=True)
    assert change(once, replace(once, value=2.0, low=1.9, high=2.1)) is not None
