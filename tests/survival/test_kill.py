"""Killed at any moment, a run goes on and ends as if nothing had happened."""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

from survival.chance import Chance
from survival.folders import five_steps, found, hashes, is_clean

SEED = 20_26
MOMENTS = [(moment, i) for moment in ("write", "call", "time") for i in range(2)]
MORE = [(moment, i) for moment in ("write", "call", "time") for i in range(2, 17)][:44]
POINTS = [*MOMENTS, *(pytest.param(m, i, marks=pytest.mark.slow) for m, i in MORE)]


@pytest.fixture(scope="session")
def calls(nursery, unbroken, tmp_path_factory) -> list[str]:
    """Return the names of the calls that change a file, in the order of a whole run."""
    folder = tmp_path_factory.mktemp("traced")
    faults = {"folder": str(folder / "runs"), "trace": str(folder / "trace")}
    said = nursery.run(
        "run", unbroken / "five.toml", "--workdir", folder / "runs", said=folder / "said", often=True, faults=faults
    )  # fmt: skip
    assert said.code == 0, said.words
    return [line.split()[0] for line in (folder / "trace").read_text().splitlines()]


def same_as(unbroken: Path, run: Path) -> None:
    assert hashes(run) == hashes(unbroken / "runs/five")
    assert found(run) == found(unbroken / "runs/five")
    assert is_clean(run), sorted(str(p) for p in run.rglob("*"))


class Killer:
    """Kills a run at a random point, and does it again with an earlier one if the run had ended by then."""

    def __init__(self, moment, rng, nursery, calls) -> None:
        self.moment, self.rng, self.nursery = moment, rng, nursery
        self.sites = [i for i, name in enumerate(calls, 1) if moment != "write" or name == "write"]
        self.seconds = 1.0

    def __call__(self, words, runs: Path, room: Path) -> None:
        before = room / "before"
        shutil.rmtree(before, ignore_errors=True)
        if runs.exists():
            shutil.copytree(runs, before)
        left = len(self.sites) if self.moment != "time" else self.seconds
        for _ in range(30):
            code, left = self.attempt(words, runs, room, left)
            if code == -signal.SIGKILL:
                return
            assert code == 0, (room / "said").read_text()
            shutil.rmtree(runs)
            if before.exists():
                shutil.copytree(before, runs)
        pytest.fail("it was never killed")

    def attempt(self, words, runs: Path, room: Path, left):
        """Return how it ended, and the point that is next an upper limit."""
        job = {"said": room / "said", "often": True}
        if self.moment == "time":
            wait = self.rng.seconds(0.0, left)
            sys.stdout.write(f"killed after {wait:.3f} s\n")
            child = self.nursery.start(*words, **job)
            time.sleep(wait)
            os.kill(child, signal.SIGKILL)
            return self.nursery.wait(child), wait
        turn = self.rng.below(left)
        sys.stdout.write(f"killed at call {self.sites[turn]}\n")
        faults = {"folder": str(runs), "site": self.sites[turn], "kind": "kill"}
        return self.nursery.run(*words, **job, faults=faults).code, max(turn, 1)


@pytest.mark.parametrize(("moment", "index"), POINTS)
def test_killed_twice_and_run_again(moment, index, nursery, unbroken, calls, tmp_path):
    runs = tmp_path / "runs"
    words = ("run", unbroken / "five.toml", "--workdir", runs)
    killer = Killer(moment, Chance(f"{SEED}/{moment}/{index}"), nursery, calls)
    for _ in range(2):
        killer(words, runs, tmp_path)
    said = nursery.run(*words, said=tmp_path / "said", often=True)
    assert said.code == 0, said.words
    same_as(unbroken, tmp_path / "runs/five")


@pytest.mark.slow
def test_a_kill_leaves_files_that_are_old_or_new(nursery, unbroken, calls, tmp_path):
    """Killed in any call of the first hundred, each file that has its name is whole."""
    whole = hashes(unbroken / "runs/five")
    for site in range(1, min(len(calls), 100)):
        runs = tmp_path / str(site)
        faults = {"folder": str(runs), "site": site, "kind": "kill"}
        nursery.run("run", unbroken / "five.toml", "--workdir", runs, said=tmp_path / "said", often=True, faults=faults)  # fmt: skip
        for name, digest in hashes(runs / "five").items():
            assert digest == whole[name], (site, name)
        shutil.rmtree(runs, ignore_errors=True)


@pytest.mark.parametrize("stop_at", [1, 4, pytest.param(7, marks=pytest.mark.slow)])
def test_a_killed_private_step_takes_as_many_noisy_steps_as_it_accounts_for(stop_at, nursery, tmp_path):  # fmt: skip
    import tomli_w

    steps = [{"name": "private", "use": "privacy.DPSGD", "steps": 9, "rate": 0.5}]
    (tmp_path / "dp.toml").write_text(tomli_w.dumps(five_steps(name="dp", steps=steps)))
    words, log = ("run", tmp_path / "dp.toml", "--workdir", tmp_path / "runs"), tmp_path / "noise"
    job = {"said": tmp_path / "said", "often": True, "noise": str(log)}
    assert nursery.run(*words, **job, stop_at=stop_at).code == -signal.SIGKILL
    assert len(log.read_text() if log.exists() else "") == stop_at - 1
    said = nursery.run(*words, **job)
    assert said.code == 0, said.words
    assert len(log.read_text()) == 9, "what was kept, and what came after it, are all the steps"
