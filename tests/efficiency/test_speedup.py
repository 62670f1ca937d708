"""The ratio of paired times, checked on times that are given."""

import pytest
import torch

from fivefold.core.evidence import Evidence
from fivefold.efficiency import Speedup
from fivefold.efficiency.speedup import paired, ratio
from seeding import seeded


def test_a_model_that_always_takes_half_the_time_is_twice_as_fast():
    before = torch.rand(100, generator=seeded(), dtype=torch.float64) + 0.1
    value, low, high = ratio(torch.stack([before, before / 2], 1))
    assert (value, low, high) == pytest.approx((2.0, 2.0, 2.0))


def test_what_slows_both_calls_of_a_pair_cancels():
    load = torch.tensor([1.0, 50.0] * 50, dtype=torch.float64)
    value, low, high = ratio(torch.stack([3 * load, load], 1))
    assert (value, low, high) == pytest.approx((3.0, 3.0, 3.0))


def test_the_interval_is_that_of_the_median_of_the_ratios():
    ratios = torch.arange(1.0, 102.0, dtype=torch.float64)
    value, low, high = ratio(torch.stack([ratios, torch.ones(101, dtype=torch.float64)], 1))
    assert value == 51.0
    assert low < 51.0 < high
    assert low > 30
    assert high < 72


@pytest.mark.parametrize("turn", [0, 1])
def test_the_time_of_the_model_before_comes_first_whoever_was_called_first(turn):
    called = []

    class Told:
        def __init__(self, name):
            self.name = name

        def predict(self, x):
            called.append(self.name)
            return x

    times = paired(Told("before"), Told("after"), torch.zeros(1), turn)  # type: ignore[arg-type]
    assert called == (["after", "before"] if turn else ["before", "after"])
    assert len(times) == 2


def test_one_number_per_batch_size_and_no_claim_on_too_few_pairs(trained, table):
    found = Speedup(batches=(1, 8), repeats=30)(trained, trained, table.splits, rng=seeded())
    assert [f.setting.partition(",")[0] for f in found] == ["batch 1", "batch 8"]
    assert all(isinstance(f, Evidence) and f.floor == 1.0 for f in found)
    with pytest.raises(ValueError, match="Bounding a median"):
        Speedup(repeats=3)
