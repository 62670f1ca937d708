from math import cos, pi

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.training.schedule import Constant, Cosine, Linear

few = settings(max_examples=20, deadline=None, derandomize=True)


@few
@given(st.integers(1, 200), st.floats(0, 1), st.floats(0, 1))
def test_every_factor_lies_between_nothing_and_the_full_rate(n, warmup, last):
    for schedule in (
        Constant(),
        Cosine(warmup=warmup, last=last),
        Linear(warmup=warmup, last=last),
    ):
        factors = [schedule.factor(i, n) for i in range(n)]
        assert all(0 < f <= 1 or (f == 0 and last == 0) for f in factors)


def test_cosine_is_the_published_one():
    found = [Cosine().factor(i, 10) for i in range(10)]
    assert found == pytest.approx([(1 + cos(pi * i / 10)) / 2 for i in range(10)])


def test_warmup_rises_to_the_full_rate_and_then_falls():
    found = [Linear(warmup=0.5, last=0.2).factor(i, 8) for i in range(8)]
    assert found[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert found[4:] == sorted(found[4:], reverse=True)
    assert found[-1] == pytest.approx(1 - 0.8 * 3 / 4)
