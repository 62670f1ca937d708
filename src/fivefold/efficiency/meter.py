"""Energy counters: the processor's own (RAPL), or an estimate from processor time."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

Meter: TypeAlias = Callable[[], Callable[[], float]]  # begin, then end: joules since the beginning

POWERCAP = Path("/sys/class/powercap")


@dataclass(frozen=True)
class Domain:
    """A part of the machine with a counter of its own.

    Attributes:
        path: Folder of the counter.
        wrap: Microjoules after which it starts again at 0.
    """

    path: Path
    wrap: int

    def read(self) -> int:
        """Return the counter, in microjoules."""
        return int((self.path / "energy_uj").read_text())


def domains(root: Path = POWERCAP) -> tuple[Domain, ...]:
    """Return the counters of processor packages and memory that may be read; often none.

    The counters of cores are left out, because their package has counted them already.
    """
    found: list[Domain] = []
    for path in sorted(root.glob("intel-rapl:*")):
        try:
            name = (path / "name").read_text().strip()
            domain = Domain(path, int((path / "max_energy_range_uj").read_text()))
            domain.read()
        except (OSError, ValueError):  # not there, or only for root
            continue
        if name.startswith("package") or name == "dram":
            found.append(domain)
    return tuple(found)


def joules_between(before: int, after: int, wrap: int) -> float:
    """Return the joules between two readings in microjoules, of which the second may have wrapped."""
    return (after - before if after >= before else after + wrap - before) / 1e6


def estimated_joules(cpu_seconds: float, watts: float) -> float:
    """Return what a busy core uses in `cpu_seconds` at `watts`."""
    return cpu_seconds * watts


def counted_by(parts: tuple[Domain, ...]) -> Meter:
    """Return a meter that adds up counters."""

    def begin() -> Callable[[], float]:
        before = [part.read() for part in parts]
        return lambda: sum(
            joules_between(b, part.read(), part.wrap) for b, part in zip(before, parts, strict=True)
        )

    return begin


def estimated_by(watts: float, clock: Callable[[], float] = time.process_time) -> Meter:
    """Return a meter that multiplies processor time, of all threads of this process, by `watts`."""

    def begin() -> Callable[[], float]:
        before = clock()
        return lambda: estimated_joules(clock() - before, watts)

    return begin
