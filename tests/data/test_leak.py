"""Copies across splits: found as comparing every pair would find them, and never taken out of the test."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.errors import BadInput
from fivefold.core.schema import Column, Schema
from fivefold.data.leak import conflicts, identities, settle
from fivefold.data.near import has_near, near_copies
from fivefold.data.split import Rows

few = settings(max_examples=20, deadline=None, derandomize=True)
values = st.sampled_from([0.0, -0.0, 1.0, 2.5, float("nan")])
tables = st.lists(st.tuples(values, values), min_size=12, max_size=30)


def same(a, b) -> bool:
    return all(x == y or (x != x and y != y) for x, y in zip(a, b, strict=True))


def thirds(n: int) -> Rows:
    return Rows(*torch.arange(n).tensor_split(3))


@few
@given(tables)
def test_copies_are_those_that_every_pair_shows(table):
    x, rows = torch.tensor(table), thirds(len(table))
    y = torch.arange(len(table)) % 2
    later = [*rows.valid.tolist(), *rows.test.tolist()]
    kept = [i for i in rows.train.tolist() if not any(same(table[i], table[j]) for j in later)]
    if not kept:
        with pytest.raises(BadInput, match="Every training example"):
            settle(x, y, rows, "drop", "here")
        return
    found = settle(x, y, rows, "drop", "here")
    assert found.rows.train.tolist() == kept
    assert torch.equal(found.rows.valid, rows.valid)
    assert torch.equal(found.rows.test, rows.test)
    n = len(rows.train) - len(kept)
    assert any(note.words().startswith(f"{n} examples were taken out") for note in found.notes) == (n > 0)  # fmt: skip


@few
@given(tables, st.lists(st.integers(0, 1), min_size=30, max_size=30))
def test_conflicts_are_those_that_every_pair_shows(table, y):
    y = y[: len(table)]
    firsts = [i for i, a in enumerate(table) if not any(same(a, b) for b in table[:i])]
    n = sum(len({y[j] for j, b in enumerate(table) if same(table[i], b)}) > 1 for i in firsts)
    notes = conflicts(identities(torch.tensor(table)), torch.tensor(y))
    assert [note.facts["n"] for note in notes] == ([n] if n else [])


def test_each_policy_does_what_it_says():
    x = torch.tensor([[1.0], [2.0], [3.0], [4.0], [1.0], [5.0]])
    y, rows = torch.zeros(6), Rows(torch.arange(4), torch.tensor([4]), torch.tensor([5]))
    assert settle(x, y, rows, "drop", "f").rows.train.tolist() == [1, 2, 3]
    kept = settle(x, y, rows, "keep", "f")
    assert kept.rows.train.tolist() == [0, 1, 2, 3]
    assert "results are too good" in kept.notes[0].words()
    with pytest.raises(BadInput, match="1 training examples have an exact copy"):
        settle(x, y, rows, "error", "f")


def test_copies_inside_train_and_between_valid_and_test_are_noted():
    x = torch.tensor([[1.0], [1.0], [3.0], [4.0], [4.0]])
    rows = Rows(torch.arange(3), torch.tensor([3]), torch.tensor([4]))
    found = settle(x, torch.zeros(5), rows, "drop", "f")
    assert found.rows is rows
    assert [n.words()[:10] for n in found.notes] == ["1 examples", "1 training"]


@few
@given(st.integers(1, 4), st.integers(0, 3), st.booleans())
def test_near_is_what_every_pair_shows(width, seed, is_coarse):
    own = torch.Generator().manual_seed(seed)
    asked = torch.rand(40, width, generator=own)
    known = torch.cat([torch.rand(50, width, generator=own), asked[:5] + 0.0099, asked[5:9] - 0.0101])  # fmt: skip
    if is_coarse:
        asked, known = asked.round(decimals=1), known.round(decimals=1)
    near = (asked[:, None] - known).abs().amax(dim=2) <= 0.01
    found = has_near(asked, known, 0.01)
    assert found is not None
    assert torch.equal(found, near.any(dim=1))


def test_too_many_pairs_are_not_compared_in_silence(monkeypatch):
    monkeypatch.setattr("fivefold.data.near.MOST_WORK", 10)
    x, schema = torch.zeros(30, 2), Schema(columns=(Column(name="a"), Column(name="b")), shape=(2,))
    notes = near_copies(x, schema, thirds(30))
    assert [n.words()[:30] for n in notes] == ["Near copies between the splits"]


def test_a_category_or_a_gap_is_near_only_to_itself():
    columns = (Column(name="a", scale=1e6), Column(name="k", kind="category", categories=("x", "y")))  # fmt: skip
    schema = Schema(columns=columns, shape=(2,))
    x = torch.tensor([[1.0, 0.0], [torch.nan, 1.0], [2.0, 1.0], [3.0, 0.0]])
    rows = Rows(torch.tensor([0, 1]), torch.tensor([2]), torch.tensor([3]))
    assert near_copies(x, schema, rows)[0].facts["n"] == 1
