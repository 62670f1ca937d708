"""What every benchmark shares: interleaved timing, rows, and the verdict.

A ratio counts only at equal quality. Both sides run in one process on the same data, seed and threads,
turn about; the median is taken. CPU time is printed beside wall time.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table: `ratio` and `reach` are higher-is-better; `reach` is what was promised."""

    work: str
    peer: str
    peer_version: str
    ratio: float
    reach: float
    equal_quality: bool
    ours: dict[str, Any]
    theirs: dict[str, Any]
    threads: int
    load: float

    @property
    def is_reached(self) -> bool:
        return self.ratio >= self.reach and self.equal_quality


@dataclass(frozen=True)
class Times:
    """Median seconds of one side."""

    wall: float
    cpu: float


def interleaved(*sides: Callable[[], object], repeats: int) -> list[Times]:
    """Time every side in turn, `repeats` times, and return the medians."""
    seen: list[list[tuple[float, float]]] = [[] for _ in sides]
    for _ in range(repeats):
        for side, times in zip(sides, seen, strict=True):
            wall, cpu = time.perf_counter(), time.process_time()
            side()
            times.append((time.perf_counter() - wall, time.process_time() - cpu))
    return [
        Times(statistics.median(w for w, _ in t), statistics.median(c for _, c in t)) for t in seen
    ]


def load() -> float:
    """Return the load average of the last minute."""
    return round(os.getloadavg()[0], 2)


def arguments(about: str) -> argparse.Namespace:
    """Return `--quick` and `--json` of a benchmark script."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--quick", action="store_true", help="the same work, smaller, within 60 s")
    parser.add_argument("--json", type=Path, help="where to write the rows")
    return parser.parse_args()


def write(rows: list[Row], file: Path) -> None:
    """Write the rows; long benchmarks write what they have after each part."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps([asdict(r) for r in rows], indent=1, ensure_ascii=False) + "\n")


def finish(rows: list[Row], file: Path) -> None:
    """Print and write the rows; leave with 1 if any promise is not kept."""
    write(rows, file)
    for row in rows:
        sign = "reached " if row.is_reached else "SHORT OF"
        print(f"{sign} {row.reach:8.3f}: {row.ratio:8.3f}  {row.work} / {row.peer}")
        print(f"{'':18} ours {row.ours}  theirs {row.theirs}  load {row.load}")
    short = [r.work for r in rows if not r.is_reached]
    if short:
        print("falls short: " + "; ".join(short))
    sys.exit(1 if short else 0)
