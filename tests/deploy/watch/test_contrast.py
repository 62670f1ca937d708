"""Contrast of words and marks as WCAG 2.2 counts it, from the colours of the style sheet, in both themes."""

import re

import pytest

from fivefold.deploy.watch.page import _style

GROUNDS = ("paper", "wash")
WORDS = ("ink", "soft", "bad-ink")  # 1.4.3: 4.5 to 1
MARKS = ("c1", "c2", "c3", "c7", "ink", "soft")  # 1.4.11: 3 to 1


def themes() -> dict[str, dict[str, str]]:
    light, _, dark = _style().partition("@media (prefers-color-scheme:dark)")
    pattern = r"--([\w-]+):(#[0-9a-f]{6})"
    bright = dict(re.findall(pattern, light))
    return {"light": bright, "dark": bright | dict(re.findall(pattern, dark))}


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_the_formula_is_that_of_wcag():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("ground", GROUNDS)
def test_words_and_marks_stand_out(theme, ground):
    colours = themes()[theme]
    assert {w: contrast(colours[w], colours[ground]) for w in WORDS if contrast(colours[w], colours[ground]) < 4.5} == {}  # fmt: skip
    assert {m: contrast(colours[m], colours[ground]) for m in MARKS if contrast(colours[m], colours[ground]) < 3} == {}  # fmt: skip


def test_every_colour_of_a_word_is_one_of_those_that_were_checked():
    style = _style()
    used = set(re.findall(r"[{;](?:color|fill):var\(--([\w-]+)\)", style))
    assert used <= {*WORDS, *MARKS, "line"}
    assert "color:var(--c1)" in style  # the heading over the name of the model: a word too
    for colours in themes().values():
        assert contrast(colours["c1"], colours["wash"]) >= 4.5
