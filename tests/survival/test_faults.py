"""A disk that fails at any one call: files are old or new, the command says what is wrong, the next one goes on."""

import shutil
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from survival.chance import Chance
from survival.faults import ERRORS
from survival.folders import BUNDLED, found, hashes
from survival.nursery import Nursery

SEED = 77
VERBS = ("run", "report", "bundle", "gate")
ORDINARY = dict(zip(ERRORS, ("run", "report", "gate", "run"), strict=True))  # one verb per kind


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


Sites = Callable[[str], list[str]]


@pytest.fixture(scope="session")
def sites(nursery: Nursery, unbroken: Path, tmp_path_factory) -> Sites:
    """Return what gives the calls of a verb that change a file, in order."""

    @cache
    def traced(verb: str) -> list[str]:
        room = tmp_path_factory.mktemp("sites")
        start_of(verb, unbroken, room / "at")
        faults = {"folder": str(room / "at"), "trace": str(room / "trace")}
        said = nursery.run(*words(verb, room / "at"), said=room / "said", faults=faults)
        assert said.code == 0, said.words
        return (room / "trace").read_text().splitlines()

    return traced


def fails_well(verb: str, site: int, kind: str, call: str, nursery: Nursery, unbroken: Path, room: Path) -> None:  # fmt: skip
    """Let one call fail, look at what is left, and run again."""
    folder = room / f"{verb}-{site}-{kind}"
    start_of(verb, unbroken, folder)
    faults = {"folder": str(folder), "site": site, "kind": kind}
    told = (verb, site, kind, call)
    said = nursery.run(*words(verb, folder), said=room / "said", faults=faults)
    assert "Traceback" not in said.words, (told, said.words)
    # a folder may have been there already; the index is made again from the folders
    is_needless = call.startswith("mkdir ") or "/runs/.index" in call
    may_end = (0, 3, 7) if is_needless else (3, 7)
    assert said.code in may_end, (told, said.words)
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
    met = {line.split()[0] for line in sites("run")}
    assert met >= {"open", "write", "fsync", "replace", "mkdir", "unlink"}


@pytest.mark.slow
def test_folders_are_renamed_too(sites):
    assert "rename" in {line.split()[0] for line in sites("bundle")}


@pytest.mark.parametrize(("kind", "verb"), ORDINARY.items())
def test_a_call_site(kind, verb, sites, nursery, unbroken, tmp_path):
    calls = sites(verb)
    site = Chance(f"{SEED}/{kind}").below(len(calls) + 1, 1)
    sys.stdout.write(f"{kind}: {verb} fails at {site}: {calls[site - 1]}\n")
    fails_well(verb, site, kind, calls[site - 1], nursery, unbroken, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("kind", ERRORS)
def test_every_call_site(verb, kind, sites, nursery, unbroken, tmp_path):
    for site, call in enumerate(sites(verb), 1):
        if kind == "short" and not call.startswith("write "):
            continue  # the same as no space
        fails_well(verb, site, kind, call, nursery, unbroken, tmp_path)
