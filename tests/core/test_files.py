"""Fingerprints, JSON files and writing all or nothing."""

import json
import os
from dataclasses import dataclass
from math import inf
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.atomic import write_atomic
from fivefold.core.data import Batch
from fivefold.core.errors import Damaged
from fivefold.core.evidence import Axis, Evidence
from fivefold.core.fingerprint import of_batch, of_inputs, of_json, of_state, of_tensor
from fivefold.core.jsonfile import from_json, to_json, to_lines
from fivefold.core.lineage import Claim, Record
from fivefold.core.text import text

few = settings(max_examples=20, deadline=None, derandomize=True)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Some of everything that is kept."""

    value: float
    place: Path
    lineage: tuple[Record, ...] = ()
    found: tuple[Evidence, ...] = ()


@few
@given(st.floats(allow_nan=False), st.text())
def test_json_there_and_back(value, word):
    record = Record("a", {"use": word, "n": [1, 2.5]}, word, Claim(privacy={"eps": 1.0}))
    evidence = Evidence(
        axis=Axis.PRIVACY, name="epsilon", value=inf, low=0.5, high=inf, n=3, unit=word, better="lower",
        note=text("{n} of {all}", n=2, all=word),
    )  # fmt: skip
    kept = Kept(value=value, place=Path("a/b"), lineage=(record,), found=(evidence,))
    assert from_json(to_json(kept), Kept) == kept
    assert from_json(to_lines(kept), Kept) == kept
    assert json.loads(to_lines((kept, kept))) == [json.loads(to_json(kept))] * 2


def test_json_does_not_depend_on_order():
    assert to_json({"b": 1, "a": (2, 3)}) == to_json({"a": [2, 3], "b": 1})


@pytest.mark.parametrize("told", ["", "{", "[]", "{}", '{"value": "x", "place": "a"}', "nul"])
def test_what_was_not_written_is_damaged(told):
    with pytest.raises(Damaged) as found:
        from_json(told, Kept, where="kept.json")
    assert found.value.where == "kept.json"


def test_fingerprints_tell_content_shape_and_type_apart():
    x = torch.arange(6.0)
    different = [x, x.view(2, 3), x.view(3, 2), x.double(), x + 1, x.flip(0), x[:5], -x]
    assert len({of_tensor(t) for t in different}) == len(different)
    assert of_tensor(torch.tensor(0.0)) != of_tensor(torch.tensor(-0.0))


def test_fingerprints_do_not_depend_on_layout_or_order():
    x = torch.arange(6.0).view(2, 3)
    assert of_tensor(x.T.contiguous().T) == of_tensor(x)
    assert of_tensor(x.clone().requires_grad_()) == of_tensor(x)
    assert of_state({"a": x, "b": x + 1}) == of_state({"b": x + 1, "a": x})
    assert of_json({"a": 1, "b": 2}) == of_json({"b": 2, "a": 1})
    assert of_inputs({"a": x}) != of_inputs({"b": x})


def test_a_batch_is_told_by_inputs_and_targets():
    x, y = torch.zeros(2, 1), torch.tensor([0, 1])
    assert len({of_batch(Batch(x, y)), of_batch(Batch(x, 1 - y)), of_batch(Batch(x + 1, y))}) == 3


def test_writes_everything_into_folders_that_were_not_there(tmp_path):
    path = tmp_path / "a" / "b.txt"
    write_atomic(path, "first")
    write_atomic(path, b"second")
    assert path.read_bytes() == b"second"
    assert [p.name for p in path.parent.iterdir()] == ["b.txt"]


def test_the_old_file_survives_when_writing_fails(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    write_atomic(path, "old")

    def full(handle):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
