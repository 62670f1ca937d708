import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.data import Splits
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Evidence, Missing
from fivefold.core.interval import quantile_interval
from fivefold.efficiency import Latency
from fivefold.efficiency.latency import needed
from fivefold.efficiency.timing import durations, inputs_of, load_note
from seeding import seeded

few = settings(max_examples=20, deadline=None, derandomize=True)


def found(model, data, **fields):
    return {f.key: f for f in Latency(**fields)(model, data.splits, rng=seeded())}


def test_percentiles_are_in_order(trained, table):
    threads = torch.get_num_threads()
    where = "1 thread" if threads == 1 else f"{threads} threads"
    evidence = found(trained, table)
    for size in (1, 64):
        middle, slow = (
            evidence[f"efficiency.latency_{p}[batch {size}, {where}]"] for p in ("p50", "p95")
        )
        assert isinstance(middle, Evidence)
        assert isinstance(slow, Evidence)
        assert 0 < middle.low <= middle.value <= middle.high
        assert middle.value <= slow.value <= slow.high
        assert middle.n == slow.n == 200


def test_too_few_calls_leave_the_tail_unmeasured(trained, table):
    middle, slow = found(trained, table, batches=(1,), repeats=20).values()
    assert isinstance(middle, Evidence)
    assert isinstance(slow, Missing)
    assert "72" in str(slow.reason)


def test_far_too_few_calls_leave_nothing_and_no_picture(trained, table):
    assert all(isinstance(f, Missing) for f in found(trained, table, repeats=3).values())


@pytest.mark.parametrize("q", [0.5, 0.95])
def test_needed_calls_bound_a_quantile(q):
    """With as many calls the range is an interval of at least 95 %; with one fewer it is not."""
    n = needed(q)
    assert q**n + (1 - q) ** n < 0.05
    values = torch.arange(n, dtype=torch.float64)
    _, low, high = quantile_interval(values, q)
    below = sum(_binomial(n, k, q) for k in range(int(low) + 1, int(high) + 1))
    assert below >= 0.95
    assert max(q, 1 - q) ** (n - 1) >= 0.025


def _binomial(n, k, q):
    from math import comb

    return comb(n, k) * q**k * (1 - q) ** (n - k)


def test_warm_up_does_not_count_and_the_limit_ends_it():
    calls = []
    assert len(durations(lambda: calls.append(1), warmup=4, repeats=9, seconds=60)) == 9
    assert len(calls) == 13
    assert len(durations(lambda: None, warmup=0, repeats=500, seconds=1e-9)) == 6


@few
@given(st.integers(1, 300))
def test_any_batch_size_is_filled(size):
    from fivefold.core.data import Batch, Seen

    test = Batch(torch.arange(7.0)[:, None], torch.zeros(7))
    x = inputs_of(Splits(Seen(test, test), test), size)
    assert isinstance(x, torch.Tensor)
    assert x[:, 0].tolist() == [float(i % 7) for i in range(size)]


def test_without_test_examples_nothing_is_timed(trained, table):
    none = table.splits.test.take(slice(0, 0))
    with pytest.raises(NotMeasurable, match="no test examples"):
        Latency()(trained, table.splits._replace(test=none), rng=seeded())


def test_only_a_busy_machine_is_noted():
    assert "0.8" in str(load_note(0.8))
    assert not load_note(0.3)
    assert not load_note(None)


def test_twice_the_same_batch_size_is_refused():
    with pytest.raises(ValueError, match="different"):
        Latency(batches=(1, 1))


def test_one_picture_holds_all_batch_sizes(trained, table):
    first, *others = found(trained, table).values()
    assert isinstance(first, Evidence)
    assert first.chart is not None
    assert {row["batch size"] for row in first.chart.rows} == {"1", "64"}
    assert all(isinstance(f, Evidence) and f.chart is None for f in others)
