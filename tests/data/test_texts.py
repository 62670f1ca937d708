"""Texts as data: nothing of a text is lost, and copies are found as in tables."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.codepoints import decode_texts, encode_texts
from fivefold.core.data import as_tensor
from fivefold.core.errors import BadInput, NotMeasurable
from fivefold.data import Texts
from seeding import seeded

WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@given(st.lists(WORDS, min_size=1, max_size=5))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_a_text_survives_being_a_tensor(texts):
    assert decode_texts(encode_texts(texts, 20)) == texts
    assert decode_texts(encode_texts(texts, 3)) == [t[:3] for t in texts]


def test_a_place_set_to_zero_is_a_character_left_out():
    points = encode_texts(["很不好"], 5)
    points[0, 1] = 0
    assert decode_texts(points) == ["很好"]


def written(folder: Path, texts, name="t.jsonl"):
    rows = [{"text": t, "label": y, "who": w} for t, y, w in texts]
    told = "\n".join(json.dumps(r, ensure_ascii=False) for r in rows)
    (folder / name).write_text(told, encoding="utf-8")


ROWS = [(f"第{i}段文字 is {'good' if i % 2 else 'bad'}, \"{i}\"", "yn"[i % 2], str(i // 4)) for i in range(40)]  # fmt: skip


def test_every_text_is_in_one_split_and_as_it_was(tmp_path):
    written(tmp_path, ROWS)
    data = Texts(path="t.jsonl", target="label").load(tmp_path, seeded())
    seen, test = data.splits.seen, data.splits.test
    found = [t for part in (seen.train, seen.valid, test) for t in decode_texts(as_tensor(part.x))]
    assert sorted(found) == sorted(t for t, _, _ in ROWS)
    assert data.schema.is_text
    assert data.schema.shape == (max(len(t) for t, _, _ in ROWS),)
    assert data.task.classes == ("n", "y")
    assert data.fingerprint == Texts(path="t.jsonl", target="label").load(tmp_path, seeded()).fingerprint  # fmt: skip
    with pytest.raises(NotMeasurable, match="texts"):
        data.schema.space()


def test_copies_near_copies_and_cuts_are_noted(tmp_path):
    twins = [(t.upper().replace(",", "!"), y, w) for t, y, w in ROWS]
    written(tmp_path, [*ROWS, *ROWS, *twins])
    data = Texts(path="t.jsonl", target="label", longest=18).load(tmp_path, seeded())
    told = " ".join(map(str, data.notes))
    assert "taken out of train" in told
    assert "case, spaces or punctuation" in told
    assert "cut after 18" in told


@pytest.mark.parametrize(
    ("rows", "more", "said"),
    [
        ([("", "y", "1"), *ROWS], {}, "no text"),
        (ROWS, {"text": "body"}, "no column body"),
        (ROWS, {"target": "klass"}, "no column klass"),
    ],
)
def test_what_cannot_be_used_is_refused(rows, more, said, tmp_path):
    written(tmp_path, rows)
    with pytest.raises(BadInput, match=said):
        Texts(**({"path": "t.jsonl", "target": "label"} | more)).load(tmp_path, seeded())
