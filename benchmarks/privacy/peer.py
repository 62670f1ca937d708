"""A process that answers one line of JSON for each line it is given."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

OPACUS = Path(__file__).parents[2] / ".peers" / "opacus" / "bin" / "python"


class Peer:
    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def ask(self, **asked: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"The other side has ended while it was asked {asked}.")
        return json.loads(line)


@contextmanager
def peer(python: str | Path, script: str) -> Iterator[Peer]:
    """Run a script that lies beside this one, and end it."""
    path = Path(__file__).parent / script
    process = subprocess.Popen(
        [python, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield Peer(process)
    finally:
        process.kill()
        process.wait()
