"""Real processes of Flower on this machine, each ended by whoever started it."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
BIN = ROOT / ".peers" / "flower" / "bin"
SETTINGS = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "PYTHONPATH": str(ROOT / "src"),
}


def free_port() -> int:
    """Return a port that nobody listens at now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass
class Machines:
    """Processes in a folder, with their output beside it."""

    folder: Path
    running: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    @property
    def environment(self) -> Mapping[str, str]:
        path = f"{BIN}:{os.environ['PATH']}"
        return os.environ | SETTINGS | {"PATH": path, "FLWR_HOME": str(self.folder / "flower")}

    def start(self, name: str, command: list[str]) -> "subprocess.Popen[bytes]":
        """Start a process that stays; its output goes to `NAME.out`."""
        out = (self.folder / f"{name}.out").open("wb")
        with out:
            one = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdout=out, stderr=out,
                executable=BIN / command[0], start_new_session=True,
            )  # fmt: skip
        self.running.append(one)
        return one

    def run(self, command: list[str]) -> str:
        """Run a command to its end and return what it said."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, executable=BIN / command[0],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def said(self) -> str:
        """Return the end of all output."""
        parts = [f"== {f.name}\n{f.read_text()[-3000:]}" for f in self.folder.glob("*.out")]
        return "\n".join(parts)

    def wait(self, until: Callable[[], bool], seconds: float) -> None:
        """Wait for something, and say what everybody said if it does not come."""
        end = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < end, self.said()
            time.sleep(0.3)


@contextmanager
def machines(folder: Path) -> Generator[Machines]:
    """Give a folder processes, and end all of them, those they started included."""
    made = Machines(folder)
    try:
        yield made
    finally:
        for one in made.running:
            kill(one)
        for left in started_in(folder):
            os.kill(left, signal.SIGKILL)
        end = time.monotonic() + 20
        while started_in(folder) and time.monotonic() < end:
            time.sleep(0.1)


def kill(one: "subprocess.Popen[bytes]") -> None:
    """End a process and its group at once."""
    if one.poll() is None:
        os.killpg(one.pid, signal.SIGKILL)
    one.wait()


def started_in(folder: Path) -> list[int]:
    """Return the processes whose environment names the folder as Flower's home: ours, wherever they moved to."""
    sign = f"FLWR_HOME={folder / 'flower'}".encode()
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            is_ours = sign in (place / "environ").read_bytes().split(b"\0")
            is_dead = (place / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            continue
        if is_ours and not is_dead:
            found.append(int(place.name))
    return found
