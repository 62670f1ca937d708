"""Nothing that may run code is opened, whatever it is called; what holds data only is."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from fivefold.core.errors import BadInput, Damaged
from fivefold.security.folder import check_folder, check_name
from fivefold.security.formats import Format, Limits, check_file
from fivefold.security.header import check_safetensors
from security.hostile import hostile, payload, through_import

ALL: tuple[Format, ...] = ("safetensors", "json", "toml", "text")
NAMES = sorted(hostile(Path("canary")))
MAKERS = [payload, through_import]


@pytest.mark.parametrize("make", MAKERS)
def test_the_payloads_are_live(make, tmp_path):
    canary = tmp_path / "canary"
    told = "import pickle, sys; pickle.loads(sys.stdin.buffer.read())"
    subprocess.run([sys.executable, "-c", told], input=make(canary), check=True)
    assert canary.exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_file_is_refused_by_name_and_nothing_runs(name, tmp_path):
    canary = tmp_path / "canary"
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / name).write_bytes(hostile(canary)[name])
    with pytest.raises(Damaged) as caught:
        check_folder(folder, ALL)
    assert caught.value.where == name
    assert caught.value.code == 5
    assert not canary.exists()


def test_there_are_enough_of_them():
    assert len(NAMES) >= 60


def test_data_pass(tmp_path):
    (tmp_path / "sub").mkdir()
    weights = {"a": torch.arange(6.0).view(2, 3), "b": torch.zeros(0), "c": torch.ones(3).half()}
    (tmp_path / "model.safetensors").write_bytes(save(weights, metadata={"made": "here"}))
    (tmp_path / "a.json").write_text('{"name": "模型", "low": [1, -2.5e3, null]}', encoding="utf-8")
    (tmp_path / "a.toml").write_text("use = 'MLP'\n")
    (tmp_path / "sub" / "MODEL_CARD.md").write_text("# Card\n\tfine\r\n")
    found = [path.relative_to(tmp_path).as_posix() for path in check_folder(tmp_path, ALL)]
    assert found == ["a.json", "a.toml", "model.safetensors", "sub/MODEL_CARD.md"]


def test_a_sound_format_that_is_not_allowed_is_refused(tmp_path):
    (tmp_path / "a.toml").write_text("a = 1\n")
    with pytest.raises(Damaged):
        check_folder(tmp_path, ("json",))


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    shapes=st.lists(st.lists(st.integers(0, 4), max_size=3), min_size=1, max_size=4),
    cut=st.integers(1, 8),
)
def test_what_safetensors_writes_passes_and_what_is_cut_or_longer_does_not(
    shapes, cut, tmp_path_factory
):
    path = tmp_path_factory.mktemp("header") / "a.safetensors"
    whole = save({f"t{i}": torch.zeros(shape) for i, shape in enumerate(shapes)})
    path.write_bytes(whole)
    check_safetensors(path)
    for other in (whole[:-cut], whole + b"\0" * cut):
        path.write_bytes(other)
        with pytest.raises(Damaged):
            check_safetensors(path)


def link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def loop(path: Path) -> None:
    path.symlink_to(path.parent)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def endpoint(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


@pytest.mark.parametrize("make", [link, loop, pipe, endpoint, Path.mkdir])
def test_what_is_no_plain_file_is_refused(make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "a.json")
    with pytest.raises(Damaged) as caught:
        check_folder(tmp_path, ALL)
    assert caught.value.where == "a.json"


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../a.json", "a/../b", "/etc/passwd", "C:\\a", "a\\b", ".hidden", "a//b", "a/",
     "a\0b", "a\nb", "a b", "-rf", "模型.json", "a" * 200, "a:b", "\u202ea.json"],
)  # fmt: skip
def test_strange_names_are_refused(name):
    with pytest.raises(Damaged):
        check_name(name)


@pytest.mark.parametrize("name", [".hidden.json", "a b.json", "\u202egnp.json", "-rf.json"])
def test_strange_files_are_refused(name, tmp_path):
    (tmp_path / name).write_text("{}")
    with pytest.raises(Damaged):
        check_folder(tmp_path, ALL)


def test_names_that_differ_in_case_are_refused(tmp_path):
    (tmp_path / "model.json").write_text("{}")
    (tmp_path / "Model.json").write_text("{}")
    with pytest.raises(Damaged, match="case"):
        check_folder(tmp_path, ALL)


@pytest.mark.parametrize("limits", [Limits(files=2), Limits(bytes=5)])
def test_too_much_is_refused(limits, tmp_path):
    for i in range(3):
        (tmp_path / f"{i}.json").write_text("{}")
    check_folder(tmp_path, ALL)
    with pytest.raises(Damaged, match="more than"):
        check_folder(tmp_path, ALL, limits=limits)


def test_a_sparse_giant_is_refused_unread(tmp_path):
    with (tmp_path / "a.json").open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(Damaged, match="more than"):
        check_folder(tmp_path, ALL)
    with pytest.raises(Damaged, match="more than"):
        check_file(tmp_path / "a.json", ALL)


def test_deep_folders_are_refused(tmp_path):
    deep = tmp_path.joinpath(*"abcdefgh")
    deep.mkdir(parents=True)
    (deep / "a.json").write_text("{}")
    with pytest.raises(Damaged):
        check_folder(tmp_path, ALL)


def test_no_folder_is_bad_input(tmp_path):
    with pytest.raises(BadInput):
        check_folder(tmp_path / "none", ALL)
