import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.evidence import Evidence
from fivefold.efficiency import Energy
from fivefold.efficiency.energy import joules_per_call, source_of
from fivefold.efficiency.meter import (
    counted_by,
    domains,
    estimated_by,
    estimated_joules,
    joules_between,
)
from seeding import seeded

few = settings(max_examples=20, deadline=None, derandomize=True)


def counter(root, folder, name, energy, wrap=1000):
    path = root / folder
    path.mkdir()
    (path / "name").write_text(f"{name}\n")
    (path / "energy_uj").write_text(f"{energy}\n")
    (path / "max_energy_range_uj").write_text(f"{wrap}\n")
    return path / "energy_uj"


def test_estimate_is_time_times_power():
    assert estimated_joules(2.0, 15.0) == 30.0
    ticks = iter([10.0, 12.5])
    assert estimated_by(4.0, clock=lambda: next(ticks))()() == 10.0


@few
@given(st.integers(2, 10**12), st.data())
def test_a_counter_that_wraps_once_loses_nothing(wrap, data):
    before, used = data.draw(st.integers(0, wrap - 1)), data.draw(st.integers(0, wrap - 1))
    assert joules_between(before, (before + used) % wrap, wrap) == pytest.approx(used / 1e6)


def test_packages_and_memory_are_counted_once(tmp_path):
    package = counter(tmp_path, "intel-rapl:0", "package-0", 900)
    memory = counter(tmp_path, "intel-rapl:0:1", "dram", 5)
    counter(tmp_path, "intel-rapl:0:0", "core", 7)
    counter(tmp_path, "intel-rapl:1", "psys", 7)
    parts = domains(tmp_path)
    assert [part.path.name for part in parts] == ["intel-rapl:0", "intel-rapl:0:1"]
    end = counted_by(parts)()
    package.write_text("100")  # wrapped: 200 later
    memory.write_text("35")
    assert end() == pytest.approx(230e-6)


def test_counters_that_cannot_be_read_are_not_there(tmp_path):
    counter(tmp_path, "intel-rapl:0", "package-0", 1).unlink()
    counter(tmp_path, "intel-rapl:1", "package-1", "locked")
    assert domains(tmp_path) == ()
    assert domains(tmp_path / "nowhere") == ()


def test_a_number_says_whether_it_was_measured(tmp_path):
    guess = source_of((), 20.0)
    assert guess.name == "estimated, 20 W per busy core"
    assert "Not measured" in str(guess.note)
    counter(tmp_path, "intel-rapl:0", "package-0", 1)
    real = source_of(domains(tmp_path), 20.0)
    assert real.name == "measured by RAPL"
    assert "RAPL" in str(real.note)


def test_joules_are_shared_among_the_calls():
    calls = []

    def meter():
        before = len(calls)
        return lambda: 3.0 * (len(calls) - before)

    assert joules_per_call(lambda: calls.append(1), meter, 0.001) == 3.0
    assert joules_per_call(lambda: calls.append(1), meter, 0.0) == 3.0


def test_evidence_speaks_of_a_thousand_predictions(trained, table):
    (found,) = Energy(seconds=0.05)(trained, table.splits, rng=seeded())
    assert isinstance(found, Evidence)
    assert 0 <= found.low <= found.value <= found.high
    assert found.value > 0
    assert found.unit == "joules per 1,000 predictions"
    assert found.setting.endswith("batch 64")


def test_one_block_has_no_bounds(trained, table):
    (found,) = Energy(blocks=1, seconds=0.01)(trained, table.splits, rng=seeded())
    assert isinstance(found, Evidence)
    assert found.low == 0
    assert found.high == float("inf")
