"""Bars with long names lie, points of one line do not hide one another, and lines share one legend."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.chart import Chart
from fivefold.core.text import text
from fivefold.report import draw
from fivefold.report.chart import spec, svg
from fivefold.report.strip import level_colours, shifts

LONG = "systolic blood pressure measured lying down after five minutes"
ZH = "收缩压毫米汞柱仰卧位测量三次取平均值作为结果记录"


def bars(names: tuple[str, ...], **more: Any) -> Chart:
    rows = [{"feature": n, "size": i + 1.0, "low": float(i), "high": i + 2.0, "stage": s} for i, n in enumerate(names) for s in ("before", "after")]  # fmt: skip
    return Chart(title=text("{problem}", problem="x"), kind="bar", x="feature", y="size", low="low", high="high", rows=tuple(rows), **more)  # fmt: skip


def strip(rows: list[tuple[float, str, str]]) -> Chart:
    told = tuple({"attribution": x, "feature": y, "level": z} for x, y, z in rows)
    return Chart(title=text("{problem}", problem="x"), kind="points", x="attribution", y="feature", series="level", rows=told)  # fmt: skip


@pytest.mark.parametrize("more", [{}, {"series": "stage"}])
def test_bars_with_long_names_lie_and_their_names_are_whole(more):
    made = bars((LONG, ZH, "age"), **more)
    drawn = spec(made)
    assert draw(made).to_dict(validate=True)
    for layer in drawn["layer"]:
        assert layer["encoding"]["y"]["field"] == "x"
        assert layer["encoding"]["x"]["field"] in ("y", "low")
    words = svg(drawn)
    assert "…" not in words
    assert all(word in words for word in LONG.split())
    assert all(letter in words for letter in ZH)


def test_bars_with_short_names_stand():
    assert spec(bars(("a", "b")))["layer"][-1]["encoding"]["x"]["field"] == "x"


def test_a_strip_is_valid_and_has_a_line_per_name():
    made = strip(
        [(0.1 * i, ("one", "two")[i % 2], ("low", "high", "middle")[i % 3]) for i in range(30)]
    )
    assert draw(made).to_dict(validate=True)
    drawn = spec(made)
    colour = drawn["layer"][-1]["encoding"]["color"]
    assert colour["scale"]["domain"] == ["low", "middle", "high"]
    zh = spec(made, "zh")["layer"][-1]["encoding"]["color"]
    assert zh["scale"]["domain"] == ["低", "中", "高"]
    assert {v["y"] for v in drawn["data"]["values"]} == {"one", "two"}
    assert svg(drawn).count('aria-roledescription="circle"') == 30


@settings(max_examples=20, deadline=None, derandomize=True)
@given(places=st.lists(st.tuples(st.floats(-5, 5), st.sampled_from("ab")), min_size=1, max_size=40))
def test_points_at_one_place_are_moved_apart_and_stay_on_their_line(places):
    made = strip([(x, y, "low") for x, y in places])
    moved = Counter((x, y, s) for (x, y), s in zip(places, shifts(made), strict=True))
    assert max(moved.values()) == 1
    assert all(-1 <= s <= 1 for s in shifts(made))


def test_other_series_keep_the_usual_colours():
    assert level_colours(strip([(0.0, "a", "nurse"), (1.0, "a", "low")])) == {}


def test_lines_have_one_legend_with_all_names():
    names = ("insertion", "deletion", "insertion, random order", "deletion, random order")
    rows = tuple(
        {"share": i / 4, "p": i / 5, "l": 0.0, "h": 1.0, "order": n}
        for n in names
        for i in range(5)
    )
    made = Chart(title=text("{problem}", problem="x"), kind="line", x="share", y="p", low="l", high="h", series="order", rows=rows)  # fmt: skip
    drawn = svg(spec(made))
    assert drawn.count(">order<") == 1
    assert all(f">{name}<" in drawn for name in names)
