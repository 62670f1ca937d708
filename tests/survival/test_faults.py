"""A disk that fails at any one call: files are old or new, the command says what is wrong, the next one goes on."""

import shutil
import sys
from pathlib import Path

import pytest

from survival.chance import Chance
from survival.faults import ERRORS
from survival.folders import BUNDLED, found, hashes
from survival.nursery import Nursery

SEED = 77
VERBS = ("run", "report", "bundle", "gate")


def words(verb: str, folder: Path) -> tuple[object, ...]:
    """Return the command of a verb whose files are below `folder`."""
    run = folder / "runs/five"
    return {
        "run": ("run", folder / "five.toml", "--workdir", folder / "runs"),
        "report": ("report", run, "--format", "html"),
        "bundle": ("bundle", run, "--out", folder / BUNDLED, "--sign", folder / "key.pem"),
        "gate": ("gate", run, "--junit", folder / "gate.xml"),
    }[verb]


def start_of(verb: str, unbroken: Path, folder: Path) -> None:
    """Make `folder` what it is before the verb."""
    folder.mkdir()
    shutil.copy(unbroken / "five.toml", folder)
    if verb != "run":
        shutil.copytree(unbroken / "runs", folder / "runs")


@pytest.fixture(scope="session")
def sites(nursery: Nursery, unbroken: Path, tmp_path_factory) -> dict[str, list[str]]:
    """Return the calls that change a file, in order, of each verb."""
    made = {}
    for verb in VERBS:
        room = tmp_path_factory.mktemp("sites")
        start_of(verb, unbroken, room / "at")
        faults = {"folder": str(room / "at"), "trace": str(room / "trace")}
        said = nursery.run(*words(verb, room / "at"), said=room / "said", faults=faults)
        assert said.code == 0, said.words
        made[verb] = (room / "trace").read_text().splitlines()
    return made


def fails_well(
    verb: str, site: int, kind: str, nursery: Nursery, unbroken: Path, room: Path
) -> None:
    """Let one call fail, look at what is left, and run again."""
    folder = room / f"{verb}-{site}-{kind}"
    start_of(verb, unbroken, folder)
    faults = {"folder": str(folder), "site": site, "kind": kind}
    told = (verb, site, kind)
    said = nursery.run(*words(verb, folder), said=room / "said", faults=faults)
    assert "Traceback" not in said.words, (told, said.words)
    assert said.code in (0, 3, 7), (told, said.words)  # 0: the file was not needed
    if said.code:
        assert said.words.splitlines()[-3:] and "Error: " in said.words, (told, said.words)
    whole = hashes(unbroken / "runs/five")
    for name, digest in hashes(folder / "runs/five").items():
        assert digest == whole[name], (told, name, "is mixed")
    if (folder / BUNDLED).exists():
        assert nursery.run("verify", folder / BUNDLED, said=room / "said").code == 0, told
    again = nursery.run(*words(verb, folder), *_forced(verb, folder), said=room / "said")
    assert again.code == 0, (told, again.words)
    assert hashes(folder / "runs/five") == whole, told
    assert found(folder / "runs/five") == found(unbroken / "runs/five"), told
    assert not [p for p in folder.rglob("*.part") if p.is_file()], told
    shutil.rmtree(folder)


def _forced(verb: str, folder: Path) -> tuple[str, ...]:
    return ("--overwrite",) if verb == "bundle" and (folder / BUNDLED).exists() else ()


def test_every_kind_of_call_is_met(sites):
    met = {line.split()[0] for lines in sites.values() for line in lines}
    assert met >= {"open", "write", "fsync", "replace", "rename", "mkdir", "unlink"}
    assert all(sites.values())


@pytest.mark.parametrize("kind", ERRORS)
def test_some_call_sites(kind, sites, nursery, unbroken, tmp_path):
    rng = Chance(f"{SEED}/{kind}")
    for verb in VERBS:
        site = rng.below(len(sites[verb]) + 1, 1)
        sys.stdout.write(f"seed {SEED}/{kind}: {verb} fails at {site}: {sites[verb][site - 1]}\n")
        fails_well(verb, site, kind, nursery, unbroken, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("kind", ERRORS)
def test_every_call_site(verb, kind, sites, nursery, unbroken, tmp_path):
    for site in range(1, len(sites[verb]) + 1):
        fails_well(verb, site, kind, nursery, unbroken, tmp_path)
