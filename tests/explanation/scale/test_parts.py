"""Blocks are explained when they are asked for, each the way the first was chosen for."""

import pytest
import torch
from speakers import classifier, points
from torch import Generator

from fivefold.core.errors import BadInput
from fivefold.explanation import ExactShapley, Scale, explain_all
from seeding import seeded


def test_nothing_is_explained_before_it_is_asked_for(trained, table):
    asked = []

    class Slow:
        def __call__(self, model, x, background, *, rng: Generator):
            asked.append(len(x))
            return ExactShapley()(model, x, background, rng=rng)

    stream = explain_all(trained, table.splits.test.x[:9], table.splits.test.x[:3], Slow(), rng=seeded(), scale=Scale(size=4))  # fmt: skip
    assert asked == []
    next(stream)
    assert asked == [4]
    list(stream)
    assert asked == [4, 4, 1]


def test_the_method_is_chosen_once_and_says_why(trained, table):
    x = table.splits.test.x[:4]
    found = list(explain_all(trained, x, x, rng=seeded(), scale=Scale(size=2)))
    assert {f.method for f in found} == {"ExactShapley"}


def test_no_rows_are_refused(trained, table):
    with pytest.raises(BadInput, match="at least one row"):
        next(explain_all(trained, table.splits.test.x[:0], table.splits.test.x[:3], rng=seeded()))


def test_each_text_is_explained_in_the_way_its_words_want():
    """A short text has few words, which are listed; the sets of a long one are drawn."""
    texts = torch.cat([points("a good film"), points("a bad " * 7)])
    short, long = explain_all(classifier(), texts, texts[:1], rng=seeded())
    assert short.method == "ExactShapley"
    assert long.method == "LeverageSHAP"
    assert "14 features" in str(long.reason)
    assert [len(f.values) for f in (short, long)] == [1, 1]
    assert long.x is not None
    assert torch.equal(long.x, texts[1:])
