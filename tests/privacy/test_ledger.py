"""Runs are counted before they read a row, whatever becomes of them; what is spent is spent."""

import json
import subprocess
import sys
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest

from fivefold.core.beside import beside
from fivefold.core.codec import decode, encode
from fivefold.core.errors import BadInput, Damaged, LimitReached, NotMeasurable
from fivefold.core.evidence import Evidence
from fivefold.core.fingerprint import of_batch
from fivefold.core.step import Step
from fivefold.privacy import DPSGD, Epsilon, Federated, Ledger, RepeatAndSelect
from fivefold.privacy.accounting import Part, bound
from fivefold.privacy.chain import append, read_chain
from fivefold.privacy.federated import ClientPrivacy, Equal
from fivefold.recipe.walk import apply
from seeding import seeded

COUNTED = DPSGD(noise_multiplier=2.0, rate=0.1, steps=4, delta=1e-5, ledger=Ledger(file="spent"))


@pytest.fixture(autouse=True)
def _here(tmp_path):
    with beside(tmp_path):
        yield


def once(untrained, table, step: Step = COUNTED):
    return apply(step, "private", untrained, table.splits.seen, seeded())


def epsilon(model, splits, **given):
    (one,) = Epsilon(**given)(model, splits, rng=seeded())
    assert isinstance(one, Evidence)
    return one


def test_a_run_is_written_down_as_it_was_claimed(untrained, table, tmp_path):
    once(untrained, table)
    (entry,) = read_chain(tmp_path / "spent")
    assert entry["data"] == of_batch(table.splits.seen.train)
    assert entry["privacy"] == COUNTED.claim(250).privacy
    assert COUNTED.ledger is not None
    assert COUNTED.ledger.spent() == bound([Part(0.1, 2.0, 4)], 1e-5).epsilon


def test_a_federated_run_is_counted_and_refused_like_any_other(untrained, table, tmp_path):
    """Clients that are drawn anew are others, so a second run cannot be added up, and none is left for it."""
    private = ClientPrivacy(
        noise_multiplier=2.0, delta=1e-5, ledger=Ledger(file="spent", epsilon=9.0)
    )
    step = Federated(private=private, clients=Equal(n_clients=5), rounds=2)
    once(untrained, table, step)
    (entry,) = read_chain(tmp_path / "spent")
    assert entry["privacy"] == step.claim(250).privacy
    with pytest.raises(LimitReached):
        once(untrained, table, step)
    assert len(read_chain(tmp_path / "spent")) == 1
    with pytest.raises(ValueError, match="ledger"):
        RepeatAndSelect(steps=(step,))


def test_runs_that_were_thrown_away_are_paid_for(untrained, table):
    once(untrained, table, replace(COUNTED, noise_multiplier=1.0))
    kept = once(untrained, table)
    alone, all_ = epsilon(kept, table.splits), epsilon(kept, table.splits, ledger=COUNTED.ledger)
    assert alone.value == bound([Part(0.1, 2.0, 4)], 1e-5).epsilon
    assert all_.value == bound([Part(0.1, 2.0, 4), Part(0.1, 1.0, 4)], 1e-5).epsilon
    assert all_.setting == "delta 1e-05, 2 runs in the ledger"
    assert "thrown away" in str(all_.note)


def test_an_answer_is_old_when_the_ledger_has_grown(untrained, table):
    probe = Epsilon(ledger=COUNTED.ledger)
    once(untrained, table)
    before = probe.files()
    assert probe.files() == before
    once(untrained, table)
    assert probe.files() != before


def test_a_ledger_that_lacks_the_step_itself_is_the_wrong_one(untrained, table):
    model = once(untrained, table, replace(COUNTED, ledger=None))
    with pytest.raises(NotMeasurable, match="not in the ledger"):
        epsilon(model, table.splits, ledger=COUNTED.ledger)
    with pytest.raises(ValueError, match="not both"):
        Epsilon(ledger=Ledger(), runs=2)


def test_a_budget_stops_before_a_row_is_read(untrained, table, tmp_path):
    one, two = (bound([Part(0.1, 2.0, 4 * n)], 1e-5).epsilon for n in (1, 2))
    step = replace(COUNTED, ledger=Ledger(file="spent", epsilon=(one + two) / 2))
    once(untrained, table, step)
    broken = table.splits.seen._replace(train=Unreadable(table.splits.seen.train.size))
    with pytest.raises(LimitReached, match="1 runs have spent") as refused:
        step(untrained, broken, rng=seeded())
    assert f"{two:.4g}" in str(refused.value)
    assert "总预算" in refused.value.words("zh")
    assert len(read_chain(tmp_path / "spent")) == 1


class Unreadable:
    """Rows that must not be looked at."""

    def __init__(self, size):
        self.size = size

    def __getattr__(self, name):
        raise AssertionError(f"{name} was read")


def test_a_calibrated_run_fits_into_a_budget_of_its_size(untrained, table):
    exact = Ledger(file="spent", epsilon=2.0)
    step = DPSGD(epsilon=2.0, rate=0.1, steps=3, ledger=exact)
    once(untrained, table, step)
    with pytest.raises(LimitReached):
        once(untrained, table, step)


def test_noise_from_a_known_seed_spends_everything(untrained, table):
    seeded_ = replace(COUNTED, insecure_seed=1)
    with pytest.raises(LimitReached, match="∞"):
        once(untrained, table, replace(seeded_, ledger=Ledger(file="spent", epsilon=1e6)))
    once(untrained, table, seeded_)
    model = once(untrained, table)
    assert epsilon(model, table.splits, ledger=COUNTED.ledger).value == inf


def test_it_survives_the_recipe_file():
    assert decode(encode(COUNTED), Step) == COUNTED
    table = {"use": "privacy.DPSGD", "ledger": {"file": "a", "epsilon": 3.0}}
    assert decode(table, Step) == DPSGD(ledger=Ledger(file="a", epsilon=3.0))


def entries(path, n=3):
    for i in range(n):
        append(path, {"number": i + 1, "data": "d", "privacy": {"a": i}})
    return path.read_bytes().splitlines(keepends=True)


def test_any_change_is_seen(tmp_path):
    path = tmp_path / "chain"
    whole = b"".join(entries(path))
    assert [e["number"] for e in read_chain(path)] == [1, 2, 3]
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(Damaged):
            read_chain(path)


def test_lines_that_are_gone_moved_or_doubled_are_seen(tmp_path):
    path = tmp_path / "chain"
    a, b, c = entries(path)
    for lines in ([b, c], [a, c], [b, a, c], [a, b, b, c], [a, b, c, c], [a, b"\n", b]):
        path.write_bytes(b"".join(lines))
        with pytest.raises(Damaged, match="not what was written"):
            read_chain(path)
        with pytest.raises(Damaged):
            append(path, {"number": 9})


def test_a_line_that_is_cut_off_is_named_and_not_repaired(tmp_path):
    path = tmp_path / "chain"
    whole = b"".join(entries(path))
    path.write_bytes(whole[:-5])
    with pytest.raises(Damaged, match=r"Line 3 .* cut off"):
        append(path, {"number": 4})
    assert path.read_bytes() == whole[:-5]


def test_a_sealed_line_that_is_no_entry_is_refused(tmp_path, untrained, table):
    append(tmp_path / "spent", {"number": 1})
    with pytest.raises(Damaged):
        once(untrained, table)


def test_a_folder_is_no_ledger(tmp_path, untrained, table):
    (tmp_path / "spent").mkdir()
    with pytest.raises(BadInput, match="cannot be used"):
        once(untrained, table)


KILLED = """
import os, signal, sys
from pathlib import Path
from fivefold.core.beside import beside
from fivefold.core.data import Batch
from fivefold.core.lineage import Claim
from fivefold.privacy import Ledger
import torch
privacy = {"mechanism": "magic"}
data = Batch(torch.zeros(2, 1), torch.zeros(2))
with beside(Path(sys.argv[1])):
    for _ in range(int(sys.argv[2])):
        Ledger(file="spent").begin(Claim(privacy=privacy), data)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_two_processes_take_turns_and_killed_runs_are_counted(tmp_path):
    ran = [subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path), "15"]) for _ in range(2)]
    assert [p.wait(60) for p in ran] == [-9, -9]
    assert [e["number"] for e in read_chain(tmp_path / "spent")] == list(range(1, 31))


def test_a_recipe_keeps_it_beside_itself(tmp_path):
    from fivefold.recipe import read_recipe, run

    home = tmp_path / "home"
    home.mkdir()
    (home / "r.toml").write_text(
        """
data = { use = "data.Bundled", name = "breast_cancer" }
model = { use = "models.MLP", hidden = [4] }
probes = [{ use = "privacy.Epsilon", ledger = { file = "spent" } }]
[[steps]]
use = "privacy.DPSGD"
steps = 2
noise_multiplier = 3.0
ledger = { file = "spent" }
""",
        encoding="utf-8",
    )
    done = run(read_recipe(home / "r.toml"), tmp_path / "runs")
    assert len(read_chain(home / "spent")) == 1
    assert "1 runs in the ledger" in json.dumps([f.key for f in done.stages[-1].findings])
    run(read_recipe(home / "r.toml"), tmp_path / "runs")
    assert len(read_chain(home / "spent")) == 1
    assert not (Path.cwd() / "spent").exists()
