"""Pictures: valid Vega-Lite, the same numbers, few enough of them, and nothing from outside."""

from dataclasses import replace
from typing import Any

import pytest

from fivefold.core.chart import Chart
from fivefold.core.text import text
from fivefold.report import draw, matrix
from fivefold.report.chart import spec, svg
from fivefold.report.gather import MOST_PER_LINE, pictures
from fivefold.report.pareto import measures, parallel, pareto, score

ROWS = tuple(
    {
        "a.b[0]": i / 10,
        "y": (i / 10) ** 2,
        "s": "one",
        "p": "left",
        "l": 0.0,
        "h": 1.0,
        "value": 0.5,
    }
    for i in range(5)
)
KINDS = ("line", "bar", "points", "heat")


def chart(**more: Any) -> Chart:
    base: dict[str, Any] = {
        "title": text("{problem}", problem="x"),
        "kind": "line",
        "x": "a.b[0]",
        "y": "y",
    }
    base["rows"] = ROWS
    return Chart(**(base | more))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "more", [{}, {"series": "s"}, {"panel": "p"}, {"low": "l", "high": "h", "diagonal": True}]
)
def test_every_picture_is_valid_vega_lite_and_keeps_its_numbers(kind, more):
    made = chart(kind=kind, **more)
    assert draw(made).to_dict(validate=True)
    values = spec(made)["data"]["values"]
    assert [v["x"] for v in values] == [r["a.b[0]"] for r in ROWS]
    assert all(not set(v) - {"x", "y", "series", "panel", "low", "high", "value"} for v in values)


def test_the_line_of_equals_reaches_as_far_as_the_numbers():
    """Also where they are logarithms, prices or not finite: the line never widens a picture."""
    rows = ({"x": -2.5, "y": -1.0}, {"x": 0.0, "y": float("inf")}, {"x": -1.0, "y": -0.5})
    (line, _) = spec(chart(x="x", y="y", rows=rows, diagonal=True))["layer"]
    assert line["data"]["values"] == [{"x": -2.5, "y": -2.5}, {"x": 0.0, "y": 0.0}]


def test_a_picture_alone_has_real_colours_and_no_reference_outside():
    drawn = svg(spec(chart()))
    assert "var(--" not in drawn
    assert "#0b62c4" in drawn
    assert "href" not in drawn
    assert "var(--c1)" in svg(spec(chart()), standing_alone=False)


def test_words_in_a_picture_cannot_become_markup():
    rows = tuple(dict(r, s="<script>x</script>") for r in ROWS)
    assert "<script>" not in svg(spec(chart(series="s", rows=rows)))


def test_lines_without_series_share_a_picture_and_others_do_not(run):
    table = matrix(run)
    (shared,) = pictures(table.row("privacy.membership_auc"))
    assert shared.stage == ""
    assert {r["stage"] for r in shared.chart.rows} == set(table.stages)
    assert [p.stage for p in pictures(table.row("generalization.corruption_accuracy"))] == list(
        table.stages
    )


def test_long_lines_are_thinned_but_keep_their_ends(run):
    row = matrix(run).row("explanation.deletion_gain")
    rows = tuple({"x": i, "y": i % 7, "s": s} for s in ("a", "b") for i in range(1000))
    long = chart(x="x", y="y", series="s", rows=rows)
    cells = tuple(
        c._replace(evidence=replace(c.evidence, chart=long)) for c in row.cells if c.evidence
    )
    thin = pictures(replace(row, cells=cells))[0].chart.rows
    assert len(thin) == 2 * MOST_PER_LINE
    assert (thin[0], thin[-1]) == (rows[0], rows[-1])


def frontier(points: dict[str, tuple[float, float]]) -> set[str]:
    """Return the points that no other point beats, by comparing all pairs."""
    return {
        a for a, (x, y) in points.items()
        if not any(u >= x and v >= y and (u, v) != (x, y) for u, v in points.values())
    }  # fmt: skip


def test_pareto_marks_the_frontier_that_a_slow_search_finds(run):
    picture = pareto(matrix(run), "en")
    assert picture
    x, y = (
        next(p["value"] for p in picture["params"] if p["name"] == name)
        for name in ("xkey", "ykey")
    )
    points = {r["stage"]: (r[x], r[y]) for r in picture["data"]["values"]}
    drawn = svg(picture)
    assert frontier(points) == {"plain", "robust"}
    assert drawn.count('fill="#0b62c4"') == 2


def test_an_infinite_number_is_drawn_at_the_edge(run):
    table = matrix(run)
    field = next(m.field for m in measures(table, "en") if m.row.name == "epsilon")
    picture = pareto(table, "en")
    assert picture
    at = {r["stage"]: r[field] for r in picture["data"]["values"]}
    assert at["plain"] > at["private"] == 2.87


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_trade_off_pictures_are_valid(run, language):
    import altair

    for picture in (pareto(matrix(run), language), parallel(matrix(run), language)):
        assert picture
        assert altair.Chart.from_dict(picture).to_dict(validate=True)


def test_nothing_to_compare_gives_no_picture(run):
    alone = matrix(replace(run, stages=run.stages[:1]))
    assert pareto(alone, "en") is None
    assert parallel(alone, "en") is None


def test_up_is_better_for_every_number(run):
    for measure in measures(matrix(run), "en"):
        row = measure.row
        values = [e.value for e in row.measured]
        ordered = sorted(values, reverse=row.measured[0].better == "lower")
        scores = [score(row, v, values) for v in ordered]
        assert scores == sorted(scores)
        assert all(0 <= s <= 1 for s in scores)
