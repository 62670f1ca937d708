"""Another library in a process and an environment of its own: it answers one line of JSON for each line it is given."""

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HOME = Path(__file__).parents[1]
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_NUM_THREADS": "1"}


class Peer:
    """A process that answers."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def ask(self, **asked: Any) -> Any:
        """Return what it answers to this question."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self) -> Any:
        """Return the next line it says; some say one before they are asked."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"The other side has ended: {self.process.args!r}")
        return json.loads(line)


@contextmanager
def peer(python: str | Path, script: Path, *told: str) -> Iterator[Peer]:
    """Run a script with one thread for its sums, and end it."""
    process = subprocess.Popen(
        [python, script, *told],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | ONE_THREAD,
    )
    try:
        yield Peer(process)
    finally:
        process.kill()
        process.wait()


def python_of(library: str) -> Path:
    """Return the interpreter of a library's environment."""
    return HOME / ".peers" / library / "bin" / "python"


def installed(wanted: Sequence[str]) -> list[str]:
    """Return the libraries that have an environment; say which have none."""
    there = [name for name in wanted if python_of(name).exists()]
    for name in sorted(set(wanted) - set(there)):
        print(f"skipped {name}: there is no .peers/{name}; `make .peers/{name}` installs it")
    return there
