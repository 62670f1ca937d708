"""A small run, and a way to ask the command line without a new process."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import tomli_w

from fivefold.cli.main import answer
from toyrecipe import table

POLICY = {
    "limits": [
        {"evidence": "learning.accuracy", "at_least": 0.05},
        {"evidence": "security.blind", "at_least": 0.9, "required": False},
    ]
}
KEPT = '[[limits]]\nevidence = "learning.accuracy"\nat_least = 0.01\n'
BROKEN = '[[limits]]\nevidence = "learning.accuracy"\nat_least = 0.999\n'
LACKING = '[[limits]]\nevidence = "security.blind"\nat_least = 0.1\n'


class Said(NamedTuple):
    """The exit code and both streams of one command."""

    code: int
    out: str
    err: str


Ask = Callable[..., Said]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """Return a function that runs one command in this process."""

    def asked(*words: object) -> Said:
        capsys.readouterr()
        code = answer([str(w) for w in words])
        told = capsys.readouterr()
        return Said(code, str(told.out), str(told.err))

    return asked


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIVEFOLD_LANG", "COLUMNS", "FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a stub for the page, which takes seconds to draw."""
    monkeypatch.setattr("fivefold.cli.run.page", lambda *_: "<!DOCTYPE html>")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with `toy.toml` and its finished run `runs/toy`, as the command line leaves it."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "toy.toml").write_text(tomli_w.dumps(table(policy=POLICY)), encoding="utf-8")
    (folder / "kept.toml").write_text(KEPT, encoding="utf-8")
    (folder / "broken.toml").write_text(BROKEN, encoding="utf-8")
    (folder / "lacking.toml").write_text(LACKING, encoding="utf-8")
    assert answer(["run", str(folder / "toy.toml"), "--workdir", str(folder / "runs")]) == 0
    return folder


@pytest.fixture(scope="session")
def bundle(made: Path) -> Path:
    """Return a signed bundle; its public key lies beside it as `key.pub.pem`."""
    out = made / "signed.bundle"
    run, key = str(made / "runs/toy"), str(made / "key.pem")
    assert answer(["bundle", run, "--stage", "lazy", "--out", str(out), "--sign", key]) == 0
    return out
