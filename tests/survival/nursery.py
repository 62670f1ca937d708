"""A process that has imported everything and forks one child for each command, so that children are cheap to kill."""

import json
import os
import subprocess
import sys
import traceback
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from cli.outside import outside

SLOW = ("dp_accounting.pld.privacy_loss_distribution", "torch._dynamo", "sklearn.covariance")
USED = (
    *("cli.run", "cli.report", "cli.gate", "cli.bundle", "cli.compare"),
    *("deploy", "deploy.watch", "learning", "efficiency", "generalization", "privacy"),
)


class Said(NamedTuple):
    """How a command ended (negative: the signal) and what it said on both streams."""

    code: int
    words: str


class Nursery:
    """The parent of the children of a test."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "survival.nursery"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=outside(),
        )  # fmt: skip

    def start(self, *words: object, said: Path, **job: Any) -> int:
        """Start a command and return the id of its process."""
        return self._asked({"argv": [str(w) for w in words], "said": str(said), **job})

    def wait(self, process: int) -> int:
        """Return how a process ended."""
        return self._asked({"wait": process})

    def run(self, *words: object, said: Path, **job: Any) -> Said:
        """Carry out a command to its end."""
        code = self.wait(self.start(*words, said=said, **job))
        return Said(code, said.read_text(encoding="utf-8"))

    def close(self) -> None:
        """End it."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(timeout=60)

    def _asked(self, job: dict[str, Any]) -> int:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


def serve() -> None:
    """Answer each line of stdin by a number: the id of a child, or how one ended."""
    import torch

    from fivefold.cli import main

    for name in SLOW:
        import_module(name)
    for name in USED:
        import_module(f"fivefold.{name}")
    weight = torch.zeros(1, requires_grad=True)
    weight.grad = torch.zeros(1)
    torch.optim.AdamW([weight]).step()  # imports hundreds of modules the first time
    torch.set_num_threads(1)
    for line in sys.stdin:
        job = json.loads(line)
        if "wait" in job:
            _tell(os.waitstatus_to_exitcode(os.waitpid(job["wait"], 0)[1]))
        elif child := os.fork():
            _tell(child)
        else:
            _child(job, main.answer)


def _tell(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _child(job: dict[str, Any], answer: Any) -> None:
    code = 99
    try:
        with Path(job["said"]).open("w") as said:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
        _prepare(job)
        code = answer(job["argv"])
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _prepare(job: dict[str, Any]) -> None:
    import fivefold.cli.report
    import fivefold.cli.run
    from fivefold.recipe import walk
    from survival.faults import Faults

    if job.get("often"):
        walk.checkpoint.keeping = partial(walk.checkpoint.keeping, every_seconds=0)
    if job.get("no_page", True):
        fivefold.cli.run.page = fivefold.cli.report.page = lambda *_, **__: "<!DOCTYPE html>" * 999
    if job.get("noise"):
        _count_noise(job["noise"], job.get("stop_at", 0))
    if job.get("faults"):
        Faults(**job["faults"]).install()


def _count_noise(log: str, stop_at: int) -> None:
    """Write a byte per noisy step; end by SIGKILL at the start of step `stop_at`."""
    from fivefold.training.private_gradient import ClippedNoisy

    real, count = ClippedNoisy.__call__, [0]

    def counted(self: Any, *asked: Any) -> Any:
        count[0] += 1
        if count[0] == stop_at:
            os.kill(os.getpid(), 9)
        with Path(log).open("a") as file:
            file.write(".")
        return real(self, *asked)

    ClippedNoisy.__call__ = counted  # type: ignore[method-assign]


if __name__ == "__main__":
    serve()
