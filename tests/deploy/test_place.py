"""A folder that is placed is there as a whole, or the old one is."""

import os
from pathlib import Path

import pytest

from fivefold.core.errors import BadInput
from fivefold.deploy.place import placed
from fivefold.deploy.seal import MANIFEST


def older(folder: Path) -> None:
    folder.mkdir()
    (folder / MANIFEST).write_text("old")


def fill(folder: Path, *, overwrite: bool = True) -> None:
    with placed(folder, overwrite=overwrite) as part:
        (part / MANIFEST).write_text("new")


def test_appears_only_when_it_is_whole(tmp_path):
    folder = tmp_path / "deep" / "bundle"
    with placed(folder) as part:
        (part / "a").write_text("a")
        assert not folder.exists()
        assert part.parent == folder.parent
    assert [p.name for p in folder.iterdir()] == ["a"]
    assert [p.name for p in folder.parent.iterdir()] == ["bundle"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_on_the_way_leaves_what_was_there(error, tmp_path):
    older(tmp_path / "bundle")
    with pytest.raises(type(error)), placed(tmp_path / "bundle", overwrite=True) as part:
        (part / MANIFEST).write_text("half")
        raise error
    assert (tmp_path / "bundle" / MANIFEST).read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["bundle"]


@pytest.mark.parametrize("fails_at", [1, 2])
def test_a_failed_rename_brings_the_old_one_back(fails_at, tmp_path, monkeypatch):
    older(tmp_path / "bundle")
    rename, calls = Path.rename, 0

    def sometimes(self: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls == fails_at:
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", sometimes)
    with pytest.raises(OSError, match="Input/output"):
        fill(tmp_path / "bundle")
    assert (tmp_path / "bundle" / MANIFEST).read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["bundle"]


def test_every_file_reaches_the_disk_before_the_name_does(tmp_path, monkeypatch):
    told: list[str] = []
    sync, rename = os.fsync, Path.rename

    def noted_sync(handle: int) -> None:
        told.append(Path(f"/proc/self/fd/{handle}").readlink().name)
        sync(handle)

    def noted_rename(self: Path, target: Path) -> Path:
        told.append("renamed")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(Path, "rename", noted_rename)
    with placed(tmp_path / "bundle") as part:
        (part / "a").write_text("a")
        (part / "sub").mkdir()
        (part / "sub" / "b").write_text("b")
    before, after = told[: told.index("renamed")], told[told.index("renamed") :]
    assert {"a", "b", "sub", part.name} <= set(before)
    assert after[1:] == [tmp_path.name]


def test_only_a_bundle_is_replaced(tmp_path):
    older(tmp_path / "bundle")
    with pytest.raises(BadInput, match="already there"):
        fill(tmp_path / "bundle", overwrite=False)
    (tmp_path / "home").mkdir()
    with pytest.raises(BadInput, match="not a bundle"):
        fill(tmp_path / "home")
    fill(tmp_path / "bundle")
    assert (tmp_path / "bundle" / MANIFEST).read_text() == "new"
