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
MOMENTS = [*(("write", i) for i in range(4)), *(("time", i) for i in range(2))]
MORE = [*(("write", i) for i in range(4, 36)), *(("time", i) for i in range(2, 16))]
POINTS = [*MOMENTS, *(pytest.param(m, i, marks=pytest.mark.slow) for m, i in MORE)]


@pytest.fixture(scope="session")
def n_calls(nursery, unbroken, tmp_path_factory) -> int:
    """Return how many calls that change a file a whole run makes."""
    folder = tmp_path_factory.mktemp("traced")
    faults = {"folder": str(folder / "runs"), "trace": str(folder / "trace")}
    said = nursery.run(
        "run", unbroken / "five.toml", "--workdir", folder / "runs", said=folder / "said", often=True, faults=faults
    )  # fmt: skip
    assert said.code == 0, said.words
    return len((folder / "trace").read_text().splitlines())


def same_as(unbroken: Path, run: Path) -> None:
    assert hashes(run) == hashes(unbroken / "runs/five")
    assert found(run) == found(unbroken / "runs/five")
    assert is_clean(run), sorted(str(p) for p in run.rglob("*"))


@pytest.mark.parametrize(("moment", "index"), POINTS)
def test_killed_and_run_again_until_it_ends(moment, index, nursery, unbroken, n_calls, tmp_path):
    rng = Chance(f"{SEED}/{moment}/{index}")
    words = ("run", unbroken / "five.toml", "--workdir", tmp_path / "runs")
    kills = 0
    for _ in range(2):
        job = {"said": tmp_path / "said", "often": True}
        if moment == "write":
            site = rng.below(n_calls, 1)
            sys.stdout.write(f"seed {SEED}/{moment}/{index}: killed at call {site} of {n_calls}\n")
            faults = {"folder": str(tmp_path / "runs"), "site": site, "kind": "kill"}
            code = nursery.run(*words, **job, faults=faults).code
        else:
            child, wait = nursery.start(*words, **job), rng.seconds(0.0, 1.5)
            sys.stdout.write(f"seed {SEED}/{moment}/{index}: killed after {wait:.3f} s\n")
            time.sleep(wait)
            os.kill(child, signal.SIGKILL)
            code = nursery.wait(child)
        assert code in (-signal.SIGKILL, 0)
        kills += code != 0
    assert kills or moment == "time"
    said = nursery.run(*words, said=tmp_path / "said", often=True)
    assert said.code == 0, said.words
    same_as(unbroken, tmp_path / "runs/five")


@pytest.mark.slow
def test_a_kill_leaves_files_that_are_old_or_new(nursery, unbroken, n_calls, tmp_path):
    """Killed in any call of the first hundred, each file that has its name is whole."""
    whole = hashes(unbroken / "runs/five")
    for site in range(1, min(n_calls, 100)):
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
