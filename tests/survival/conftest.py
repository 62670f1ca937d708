"""One nursery of children for all tests of survival, and runs that nothing disturbed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import tomli_w

from survival.folders import BUNDLED, five_steps
from survival.nursery import Nursery


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    yield made
    made.close()


@pytest.fixture(scope="session")
def unbroken(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with `five.toml`, its run `runs/five` and a bundle of its last stage."""
    folder = tmp_path_factory.mktemp("unbroken")
    (folder / "five.toml").write_text(tomli_w.dumps(five_steps()))
    said = nursery.run(
        "run", folder / "five.toml", "--workdir", folder / "runs", said=folder / "said", often=True
    )
    assert said.code == 0, said.words
    said = nursery.run(
        "bundle", folder / "runs/five", "--out", folder / BUNDLED, said=folder / "said"
    )
    assert said.code == 0, said.words
    return folder
