"""What all pictures promise: the axes given come back, nothing global is touched, and doubts are written on them."""

import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest
import torch
from games import of_columns
from pictures.making import LONG, ZH, every_text, image, people, random, sampled, words

from fivefold.explanation import Attribution
from seeding import seeded

Draw = Callable[..., Any]
TABLES: dict[str, Draw] = {
    "call": lambda f, **k: f.plot(0, **k),
    "bar of all": lambda f, **k: f.plot.bar(**k),
    "bar of one": lambda f, **k: f.plot.bar(0, **k),
    "waterfall": lambda f, **k: f.plot.waterfall(0, **k),
    "force": lambda f, **k: f.plot.force(0, **k),
    "beeswarm": lambda f, **k: f.plot.beeswarm(**k),
    "scatter": lambda f, **k: f.plot.scatter(LONG, **k),
    "scatter of categories": lambda f, **k: f.plot.scatter("job", colour_by="smoker", **k),
    "scatter with gaps": lambda f, **k: f.plot.scatter(ZH, colour_by=LONG, **k),
    "heatmap": lambda f, **k: f.plot.heatmap(**k),
    "decision": lambda f, **k: f.plot.decision(**k),
    "decision of one": lambda f, **k: f.plot.decision(0, **k),
    "drift": lambda f, **k: f.plot.drift(f, **k),
    "curve": lambda f, **k: f.plot.curve(of_columns(4, lambda x: x[:, :2].sum(1)), f.x[:4], rng=seeded(), **k),
}  # fmt: skip


def given(name: str, *, sure: bool) -> tuple[Attribution, Draw]:
    if name in TABLES:
        return people(sure=sure), TABLES[name]
    if name == "text":
        return words(sure=sure), lambda f, **k: f.plot.text(0, **k)
    if name == "map":
        return image(sure=sure), lambda f, **k: f.plot(1, **k)
    return image(sure=sure), lambda f, **k: f.plot.image(1, **k)


EVERY = (*TABLES, "text", "map", "image")


@pytest.mark.parametrize("name", EVERY)
def test_the_axes_given_come_back_and_nothing_global_is_touched(name):
    from matplotlib import rcParams
    from matplotlib.figure import Figure

    found, draw = given(name, sure=True)
    before, had = dict(rcParams), "matplotlib.pyplot" in sys.modules
    ax = Figure(figsize=(7, 5)).subplots()
    assert draw(found, ax=ax) is ax
    own = draw(found)
    assert own.figure is not ax.figure
    assert dict(rcParams) == before
    assert ("matplotlib.pyplot" in sys.modules) == had


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_letter_exists_and_every_picture_can_be_saved(name, language):
    found, draw = given(name, sure=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of a letter that no font has
        draw(found, language=language).figure.savefig(BytesIO(), format="png", dpi=40)


@pytest.mark.parametrize("name", EVERY)
def test_what_has_not_converged_is_marked_and_what_has_is_not(name):
    for language, mark in (("en", "Not converged"), ("zh", "尚未收敛")):
        found, draw = given(name, sure=False)
        assert f"⚠ {mark}" in every_text(draw(found, language=language))
        found, draw = given(name, sure=True)
        assert mark not in every_text(draw(found, language=language))


@pytest.mark.parametrize("name", EVERY)
def test_every_picture_says_what_its_numbers_rest_on(name):
    found, draw = given(name, sure=True)
    told = every_text(draw(found))
    n = len(found.values)
    is_one = name in {"call", "bar of one", "waterfall", "force", "decision of one", "text", "map", "image"}  # fmt: skip
    assert f"{1 if is_one else n} of {n} rows" in told
    assert "base value 0.5" in told or name == "curve"
    assert "1,234 model evaluations" in told
    assert "ExactShapley" in told
    assert "exact" in told
    assert ("closeness" if name == "curve" else "log-odds") in told
    zh = every_text(draw(found, language="zh"))
    assert "model evaluations" not in zh
    assert "模型求值 1,234 次" in zh


def test_an_error_is_called_what_it_is():
    draw = TABLES["waterfall"]
    found = sampled(sure=True)
    half = float(1.959963984540054 * 0.1)
    assert f"95 % interval at most ± {half:.3g}" in every_text(draw(found))
    assert "no interval" in every_text(draw(replace(found, is_standard=False)))
    assert "95 %" not in every_text(draw(replace(found, is_standard=False)))
    unknown = replace(found, error=torch.full_like(found.values, torch.inf))
    assert "error unknown" in every_text(draw(unknown))
    assert "± ?" in every_text(draw(unknown))
    for method, told in (("Occlusion", "error not estimated"), ("TreeSHAP", "exact")):
        assert told in every_text(draw(replace(random(), method=method)))


def test_a_language_of_the_page_does_not_change_the_numbers():
    found = people()
    english, chinese = (found.plot.waterfall(0, language=one) for one in ("en", "zh"))
    lengths = [[p.get_width() for p in ax.patches] for ax in (english, chinese)]
    assert lengths[0] == lengths[1]
