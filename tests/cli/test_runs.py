"""`fivefold runs`, and the index behind it."""

import json
import re
import shutil

import pytest
import typer
from filelock import FileLock

from fivefold.recipe.index import indexed, leftovers, note, reindex, sweep


@pytest.fixture
def work(made, tmp_path):
    """Return a folder with two copies of a run."""
    for name in ("one", "two"):
        shutil.copytree(made / "runs/toy", tmp_path / "runs" / name)
    return tmp_path / "runs"


def listed(ask, work, *words):
    said = ask("runs", "ls", "--workdir", work, "--json", *words)
    assert said.code == 0, said.err
    return json.loads(said.out)


def test_runs_are_listed_with_their_verdict(ask, work):
    found = listed(ask, work, "--sort", "name")
    assert [(e["name"], e["state"], e["verdict"]) for e in found] == [("one", "whole", "passed"), ("two", "whole", "passed")]  # fmt: skip
    assert found[0]["numbers"]["learning"]["name"] == "accuracy"
    assert len(listed(ask, work, "--limit", "1")) == 1
    assert "完好" in ask("runs", "ls", "--workdir", work, "--lang", "zh").out


@pytest.mark.parametrize("harm", ["delete", "overwrite", "truncate"])
def test_a_lost_index_is_made_again(work, harm):
    before, file = indexed(work), work / "index.sqlite"
    told = file.read_bytes()
    file.unlink()
    if harm != "delete":
        file.write_bytes(b"x" * 9000 if harm == "overwrite" else told[:5000])
    assert indexed(work) == before
    assert reindex(work) == before


def test_damage_is_seen_from_the_folder(ask, work):
    path = next((work / "one/stages").glob("*/model.safetensors"))
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    (work / "two/run.json").write_text("{}")
    said = ask("runs", "reindex", "--workdir", work, "--json")
    assert [e["state"] for e in json.loads(said.out)] == ["damaged", "damaged"]


def test_an_index_that_cannot_be_written_is_no_error(work):
    (work / "index.sqlite").mkdir()
    assert not note(work / "one")


def test_rm_asks_and_refuses_what_is_no_run(ask, work, tmp_path, monkeypatch):
    assert ask("runs", "rm", tmp_path, "--workdir", work, "--yes").code == 3
    assert ask("runs", "rm", ".", "--workdir", work, "--yes").code == 3
    monkeypatch.setattr("typer.confirm", _no)
    assert ask("runs", "rm", "one", "--workdir", work).code == 130
    assert len(listed(ask, work)) == 2
    assert ask("runs", "rm", "one", "--workdir", work, "--yes").code == 0
    assert [e["name"] for e in listed(ask, work)] == ["two"]


@pytest.mark.parametrize("verb", ["ls", "show", "rm", "gc", "reindex"])
def test_help_in_both_languages(ask, verb):
    english, other = (ask("runs", verb, "--help", "--lang", lang).out for lang in ("en", "zh"))
    assert "--json" in english
    assert re.search(r"--workdir .*[\u4e00-\u9fff]", other)
    assert "Options" not in other


def test_gc_deletes_locks_of_runs_that_are_gone(ask, work):
    for name in ("gone", "held", "one", "index", "full"):
        (work / f".{name}.lock").touch()
    (work / ".full.lock").write_text("of somebody else")
    with FileLock(work / ".held.lock"):
        assert json.loads(ask("runs", "gc", "--workdir", work, "--json").out)["paths"] == [str(work / ".gone.lock")]  # fmt: skip
    assert {p.name for p in work.glob(".*.lock")} == {".held.lock", ".one.lock", ".index.lock", ".full.lock"}  # fmt: skip


def test_a_lock_taken_after_gc_looked_is_kept(work):
    lock = work / ".gone.lock"
    lock.touch()
    found = leftovers(work)
    assert found == (lock,)
    with FileLock(lock):
        sweep(found)
        assert lock.exists()


def test_gc_deletes_leftovers_alone(ask, work):
    (work / ".x.999999999.old").mkdir()
    (work / "one/.b.bundle.999999999.part").mkdir()
    (work / "one/stages/09-gone").mkdir()
    keep = work / ".x.1.part"
    keep.mkdir()
    dry = json.loads(ask("runs", "gc", "--workdir", work, "--dry-run", "--json").out)
    assert len(dry["paths"]) == 3
    assert (work / ".x.999999999.old").exists()
    assert ask("runs", "gc", "--workdir", work).code == 0
    assert not (work / ".x.999999999.old").exists()
    assert not (work / "one/stages/09-gone").exists()
    assert keep.exists()
    assert {e["state"] for e in listed(ask, work)} == {"whole"}


def _no(*_, **__):
    raise typer.Abort
