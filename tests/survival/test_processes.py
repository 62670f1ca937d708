"""Several processes at one run folder: one works, the others are sent away, and no lock outlives its holder."""

import os
import signal
import sys
import time

import pytest

from survival.chance import Chance
from survival.folders import found, hashes, is_clean

SEED = 4
ROUNDS = [*range(3), *(pytest.param(i, marks=pytest.mark.slow) for i in range(3, 20))]


@pytest.mark.parametrize("index", ROUNDS)
def test_four_processes_at_one_run(index, nursery, unbroken, tmp_path):
    rng = Chance(f"{SEED}/{index}")
    sys.stdout.write(f"seed {SEED}/{index}\n")
    words = ("run", unbroken / "five.toml", "--workdir", tmp_path / "runs")
    children = [nursery.start(*words, said=tmp_path / f"said{i}", often=True) for i in range(4)]
    if index % 2:
        time.sleep(rng.seconds(0.1, 1.0))
        os.kill(children[0], signal.SIGKILL)
    codes = [nursery.wait(child) for child in children]
    told = [(tmp_path / f"said{i}").read_text() for i in range(4)]
    assert set(codes) <= {0, 7, -signal.SIGKILL}, (codes, told)
    assert 0 in codes or -signal.SIGKILL in codes
    assert all("Another process" in told[i] for i, code in enumerate(codes) if code == 7)
    said = nursery.run(*words, said=tmp_path / "said")
    assert said.code == 0, said.words
    run = tmp_path / "runs/five"
    assert hashes(run) == hashes(unbroken / "runs/five")
    assert found(run) == found(unbroken / "runs/five")
    assert is_clean(run)
