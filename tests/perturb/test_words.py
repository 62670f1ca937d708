"""A text as words: every place belongs to one, Chinese characters stand alone, and what is hidden is gone."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.codepoints import decode_texts, encode_texts
from fivefold.core.errors import BadInput, NotMeasurable
from fivefold.core.schema import Schema
from fivefold.core.task import Task
from fivefold.explanation import ExactShapley, LeverageSHAP, explain
from fivefold.explanation.pictures.highlight import (
    cells,
    html_of,
    lines_of,
    marked,
    placed_in_lines,
)
from fivefold.models import CallableModel
from fivefold.perturb import word_groups
from seeding import seeded


def points(told: str, length: int = 60):
    return encode_texts([told], length)[0]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ("A good film!", ["A", "good", "film", "!"]),
        ("I don't re-read  it...", ["I", "don't", "re-read", "it", "..."]),
        ("很喜欢这部 film。", ["很", "喜", "欢", "这", "部", "film", "。"]),
        ("  नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
    ],
)
def test_words_are_those_of_the_language(told, words):
    assert list(word_groups(points(told)).names) == words


@settings(max_examples=30, deadline=None, derandomize=True)
@given(told=st.text(st.sampled_from("ab c.,'好电 \n1é"), min_size=1, max_size=30))
def test_every_letter_belongs_to_the_word_that_began_last(told):
    if not told.strip():
        with pytest.raises(BadInput, match="no word"):
            word_groups(points(told))
        return
    groups = word_groups(points(told))
    kept = points(told)
    for feature, name in enumerate(groups.names):
        part = decode_texts(torch.where(groups.member == feature, kept, 0)[None])[0]
        assert part.strip() == name.strip()
    assert sorted(groups.member.tolist()) == groups.member.tolist()


def test_pieces_of_a_tokenizer_may_be_the_features():
    assert word_groups(points("讨厌电影"), starts=(0, 2)).names == ("讨厌", "电影")


def model() -> CallableModel:
    def ask(x):
        score = [2.0 * ("good" in t) - 1.5 * t.count("厌") for t in x]
        return [[0.0, s] for s in score]

    schema = Schema(shape=(60,), is_text=True)
    return CallableModel(function=ask, task=Task(classes=("bad", "good")), schema=schema, answers="logits")  # fmt: skip


@pytest.mark.parametrize("explainer", [ExactShapley(), LeverageSHAP(), "auto"])
def test_words_get_what_they_add(explainer):
    x = encode_texts(["a good film 讨厌"], 60)
    found = explain(model(), x, x[:0], explainer, rng=seeded())
    moved = dict(zip(found.names, found.values[0, :, 1].tolist(), strict=True))
    wanted = {"a": 0.0, "good": 2.0, "film": 0.0, "讨": 0.0, "厌": -1.5}
    assert moved == pytest.approx(wanted, abs=1e-4)


def test_several_texts_have_no_words_in_common():
    x = encode_texts(["a good film", "bad"], 60)
    with pytest.raises(NotMeasurable, match="words of its own"):
        explain(model(), x, x[:0], rng=seeded())


def test_marked_texts_wrap_and_stay_words():
    told = "a <b>good</b> film " + "很好看的电影" * 12
    x = encode_texts([told], 120)[0]
    groups = word_groups(x)
    words = marked(x, groups, torch.linspace(-1, 1, groups.n))
    placed = list(placed_in_lines(words, 20))
    assert all(p.column + cells(p.marked.word.rstrip()) <= 20 for p in placed)
    assert "".join(p.marked.word for p in placed) == told
    assert lines_of(words) > 1
    assert "<b>" not in html_of(words)
