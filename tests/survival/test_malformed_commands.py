"""Malformed recipes and data through the command line: exit code 3, what, where and how to mend it, nothing left behind."""

import subprocess
import sys
from pathlib import Path

import pytest
import tomli_w

from cli.outside import outside
from fivefold.cli.main import answer
from survival.malformed import ODD, PLACES, changed, good, left_in
from survival.test_malformed_data import CELLS, FILES, TAKEN, as_csv
from survival.test_malformed_recipes import STRUCTURE, around

NAMES = [n for n in ODD if n not in ("20,000 bits", "64 bits")]


def samples() -> dict[str, tuple[bytes, bytes]]:
    """Return thirty recipes with their data: strange files, strange values and strange tables."""
    people = FILES["as it should be"][0]
    made = {n: (around(*STRUCTURE[n][:2]).encode(), people) for n in list(STRUCTURE)[::5]}
    for i, name in enumerate(NAMES[::5]):
        place = list(PLACES)[(3, 0, 5, 8, 7)[i % 5]]
        made[f"{name} at {place}"] = (
            tomli_w.dumps(changed(PLACES[place], ODD[name])).encode(),
            people,
        )
    plain = tomli_w.dumps(good()).encode()
    bad = {n: content for n, (content, said) in FILES.items() if said != TAKEN}
    bad |= {n: as_csv(table).encode() for n, (table, said) in CELLS.items() if said != TAKEN}
    return made | {n: (plain, bad[n]) for n in list(bad)[::4]}


SAMPLES = samples()
REAL = list(SAMPLES)[:: len(SAMPLES) // 5][:5]


def put(name: str, folder: Path) -> list[str]:
    """Write a sample and return the command that runs it."""
    recipe, people = SAMPLES[name]
    (folder / "recipe.toml").write_bytes(recipe)
    (folder / "people.csv").write_bytes(people)
    return ["run", str(folder / "recipe.toml"), "--workdir", str(folder / "runs")]


def check(code: int, out: str, err: str, folder: Path) -> None:
    assert code == 3, err
    assert out == ""
    assert "Traceback" not in err
    what, where, *mend = err.splitlines()
    assert what.startswith("Error: ")
    assert where.startswith("Where: ")
    assert mend
    assert all(c.isprintable() or ord(c) > 127 for line in err.splitlines() for c in line)
    assert not left_in(
        folder, {"recipe.toml", "people.csv", "runs/.good.lock", "runs/good/log.txt"}
    )


def test_they_are_thirty():
    assert len(SAMPLES) >= 30


@pytest.mark.parametrize("name", SAMPLES)
def test_in_this_process(name, tmp_path, capsys):
    code = answer(put(name, tmp_path))
    told = capsys.readouterr()
    check(code, told.out, told.err, tmp_path)


@pytest.mark.parametrize(
    "name", [REAL[0], *(pytest.param(n, marks=pytest.mark.slow) for n in REAL[1:])]
)
def test_in_a_real_process(name, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "fivefold", *put(name, tmp_path)],
        capture_output=True, text=True, encoding="utf-8", env=outside(), timeout=120, check=False,
    )  # fmt: skip
    check(done.returncode, done.stdout, done.stderr, tmp_path)


def test_the_good_one_is_taken(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("fivefold.cli.run.page", lambda *_, **__: "<!DOCTYPE html>")
    (tmp_path / "recipe.toml").write_text(tomli_w.dumps(good()))
    (tmp_path / "people.csv").write_bytes(FILES["as it should be"][0])
    code = answer(["run", str(tmp_path / "recipe.toml"), "--workdir", str(tmp_path / "runs")])
    assert code == 0, capsys.readouterr().err
