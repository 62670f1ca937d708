"""What a call cost. Only the runner and the efficiency probes read a clock."""

import resource
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Cost:
    """What a block of code used.

    Attributes:
        seconds: Wall-clock time.
        cpu_seconds: Processor time of this process, all threads.
        peak_bytes: Largest resident memory of this process so far.
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0

    @property
    def told(self) -> str:
        """The seconds as people read them; a dash where nothing was measured, or nothing may be told."""
        return f"{self.seconds:.1f}" if self.peak_bytes else "–"


@contextmanager
def measured() -> Generator[Cost]:
    """Yield a `Cost` that is filled in when the block ends."""
    cost = Cost()
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        yield cost
    finally:
        cost.seconds = time.perf_counter() - wall
        cost.cpu_seconds = time.process_time() - cpu
        cost.peak_bytes = peak_bytes()


def peak_bytes() -> int:
    """Return the largest resident memory of this process so far, in bytes."""
    kilo = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * kilo
