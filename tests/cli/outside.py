"""The environment of a process that a test starts."""

import os
from pathlib import Path


def outside(**changes: str) -> dict[str, str]:
    """Return the environment of a process that finds the plug-ins of the tests."""
    tests = Path(__file__).parents[1]
    kept = {
        k: v for k, v in os.environ.items() if k not in ("FIVEFOLD_LANG", "COLUMNS", "NO_COLOR")
    }
    path = os.pathsep.join([str(tests), str(tests / "cli")])
    quiet = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "PYTHONPATH": path}
    return kept | quiet | changes
