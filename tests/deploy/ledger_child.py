"""Write events until killed, saying which are on the disk; or be the one who kills such writers.

`ledger_child.py FILE` writes. `ledger_child.py FILE KILLS SEED` forks writers of one log and kills each at a
random moment: a fork is quick, a new process would import for seconds.
"""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch

from fivefold.deploy.event import Event
from fivefold.deploy.ledger import Ledger, verify_ledger


def write(path: Path, out: int) -> None:
    """Write groups of events, acknowledging each group."""
    with Ledger(path, "b" * 64, ("no", "yes")) as ledger:
        n = 0
        while True:
            for _ in range(7):
                n += 1
                ledger(Event(time=time.time(), request=str(n), rows=1, outputs=np.ones((1, 2))))
            os.write(out, f"{n} {ledger.flush()}\n".encode())


def kill_one(path: Path, seconds: float) -> list[tuple[int, str]]:
    """Kill a writer and return all that it acknowledged."""
    inlet, outlet = os.pipe()
    child = os.fork()
    if not child:
        write(path, outlet)
    os.close(outlet)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(inlet) as told:
        lines = [line.split() for line in told.read().splitlines(keepends=True) if "\n" in line]
    return [(int(n), head) for n, head in lines]


def kill(path: Path, kills: int, rng: torch.Generator) -> None:
    """Kill writers of one log; say how many rows were there before, acknowledged, and there after."""
    before = 0
    for _ in range(kills):
        said = kill_one(path, 0.4 * float(torch.rand((), generator=rng)))
        if path.exists() and path.stat().st_size:
            for n, head in said[-1:]:  # the chain vouches for those before
                found = verify_ledger(path, head)
                assert found.rows - found.after_anchor == before + n, (before, n, found)
            before = verify_ledger(path).rows
        assert before or not said
        sys.stdout.write(f"{before} {len(said)}\n")


if __name__ == "__main__":
    if len(sys.argv) == 2:
        write(Path(sys.argv[1]), 1)
    kill(Path(sys.argv[1]), int(sys.argv[2]), torch.Generator().manual_seed(int(sys.argv[3])))
