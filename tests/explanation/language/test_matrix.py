"""Words by tokens as a picture: every number is there, long answers wrap, and what is cut is said."""

import re
from dataclasses import replace
from html import unescape

import pytest
import torch
from speakers import Adds

from fivefold.explanation import ExactShapley, LeverageSHAP
from fivefold.explanation.language import AnswerExplainer, draw_matrix, matrix_html
from fivefold.explanation.pictures.letters import cells
from seeding import seeded


def asked(prompt: str, answer: str, explainer=None):
    ask = AnswerExplainer(explainer=explainer or LeverageSHAP(budget=200))
    return ask(Adds(), prompt, answer, rng=seeded())


@pytest.mark.parametrize("answer", ["yes", "很好看" * 12])
def test_every_value_stands_in_the_table_once(answer):
    found = asked("a good <b> 坏 film", answer, ExactShapley())
    told = matrix_html(found)
    values = re.findall(r'title="([^"]*): ([^"]*)"', told)
    assert len(values) == found.groups.n * len(answer)
    truth = {f"{w} → {o}": found.values[0, i, j] for i, w in enumerate(found.names) for j, o in enumerate(found.outputs)}  # fmt: skip
    for name, value in values:
        assert float(value) == pytest.approx(float(truth[unescape(name)]), rel=0.01, abs=1e-9)
    widths = sum(max(4, cells(name)) for name in found.outputs)
    assert (told.count("<table>") > 1) == (widths > 64)
    assert "<script" not in told
    assert "<b>" not in told
    assert "exact" in told


def test_the_picture_has_the_words_and_says_what_is_cut():
    found = asked("good bad film " * 20, "很好" * 40)
    axes = draw_matrix(found)
    (image,) = axes.images
    assert image.get_size() == (40, 60)
    low, high = image.get_clim()
    assert low == -high
    shown = " ".join(t.get_text() for t in axes.texts).replace("\n", " ")
    assert "the 40 of 60 words" in shown
    assert "film" not in [t.get_text() for t in axes.get_yticklabels()]  # it moves least
    whole = draw_matrix(asked("a good film", "好"), language="zh")
    assert [t.get_text() for t in whole.get_yticklabels()] == ["a", "good", "film"]
    assert "整个答案" in whole.get_title()


def test_what_has_not_converged_is_marked():
    found = asked("a good film", "yes")
    found = replace(found, is_converged=torch.tensor([False]))
    assert "⚠" in matrix_html(found)
    assert any("⚠" in t.get_text() for t in draw_matrix(found).texts)


def test_the_words_of_one_token_can_be_drawn_as_a_text():
    found = asked("a good 坏 film", "好的", ExactShapley())
    axes = found.plot.text(0, output="的")
    assert {"good", "坏"} <= {t.get_text() for t in axes.texts}
