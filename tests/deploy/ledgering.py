"""Events and logs for the tests of the audit log."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fivefold.deploy.event import Event
from fivefold.deploy.ledger import Ledger

NAMES = ("no", "yes")


def event(n: int, **changes: Any) -> Event:
    """Return the n-th event."""
    base: dict[str, Any] = {
        "time": 1000.0 + n, "request": f"r{n}", "rows": 1, "x": torch.full((1, 3), 77.5),
        "outputs": np.array([[0.0, float(n % 2)]]), "scores": np.array([n / 8]), "digest": "d" * 64,
    }  # fmt: skip
    return Event(**base | changes)


def written(path: Path, n: int = 5, first: int = 0) -> str:
    """Write n events and return the head."""
    with Ledger(path, "b" * 64, NAMES) as ledger:
        for i in range(first, first + n):
            ledger(event(i))
        return ledger.flush()


def sql(path: Path, *statements: str) -> list[Any]:
    """Change a log behind the back of the ledger; return what the last statement gives."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return [connection.execute(s).fetchall() for s in statements][-1]
