"""The report: one file that needs no server, no network and no JavaScript to be read."""

from typing import Any

import tomli_w
from markupsafe import Markup

from fivefold.core.text import Language
from fivefold.recipe import Run
from fivefold.report.album import Album
from fivefold.report.chart import spec
from fivefold.report.findings import findings
from fivefold.report.gather import pictures
from fivefold.report.matrix import Matrix, matrix
from fivefold.report.pareto import chosen, measures, parallel, pareto
from fivefold.report.privacy_card import privacy_cards
from fivefold.report.row import Row, by_axis
from fivefold.report.templating import part, render, safe_json, script_hash
from fivefold.report.theme import DARK, LIGHT, config, variables
from fivefold.report.tree import tree
from fivefold.report.verdict import Verdict
from fivefold.report.view import (
    evidence_view,
    matrix_view,
    missing_view,
    tiles_view,
    verdict_view,
)  # fmt: skip
from fivefold.report.words import words

MOST_WRITTEN = 8


def page(
    run: Run, language: Language = "en", verdict: Verdict | None = None, *, stage: str = ""
) -> str:
    """Return the report of a run as one HTML file.

    Args:
        run: What happened, finished or not.
        language: Language of the whole page.
        verdict: What a policy says of the run, if there is a policy.
        stage: The stage that the summary is about; "" is the one the verdict is mostly about, else the last.
    """
    table, shown = matrix(run), stage or _subject(run, verdict)
    album = Album()
    tradeoffs = {
        "pareto": album.put(pareto(table, language)),
        "parallel": album.put(parallel(table, language)),
    }
    axes = _axes(table, language, album)
    scripts = (_vega(), part("page.js"))
    return render(
        "page.html.jinja",
        language,
        run=run,
        stage=shown,
        matrix=matrix_view(table, language, shown),
        tiles=tiles_view(table, language, shown),
        verdict=verdict_view(verdict.checks, language) if verdict else None,
        axes=axes,
        privacy_cards=privacy_cards(run, language),
        written=[(f.kind, words(f.sentence, language)) for f in findings(run)],
        most_written=MOST_WRITTEN,
        missing=missing_view(run, table, language),
        tree=Markup(tree(run, shown)),  # noqa: S704 - escaped where it is made
        recipe=tomli_w.dumps(_plain(run.recipe)),
        choices=_choices(table, language),
        **tradeoffs,
        data_block=safe_json({"config": config(), "pictures": album.data}),
        css=part("matrix.css") + part("page.css") + part("privacy.css"),
        colours={"light": variables(LIGHT), "dark": variables(DARK)},
        scripts=scripts,
        hashes=" ".join(script_hash(s) for s in scripts),
    )


def _axes(table: Matrix, language: Language, album: Album) -> list[dict[str, Any]]:
    return [
        {
            "axis": axis.value,
            "rows": _paired([_section(r, language, album) for r in rows if r.measured]),
        }
        for axis, rows in by_axis(table.rows).items()
    ]


def _paired(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put the rows without pictures first; they stand two by two, and one left over is wide."""
    ordered = sorted(rows, key=lambda r: bool(r["pictures"]))
    n_plain = sum(not r["pictures"] for r in rows)
    return [r | {"wide": n_plain % 2 == 1 and i == n_plain - 1} for i, r in enumerate(ordered)]


def _section(row: Row, language: Language, album: Album) -> dict[str, Any]:
    found = pictures(row)
    put: list[dict[str, Any]] = []
    for picture in found:
        # only the last stage has a still image; the others are drawn when they are chosen
        drawn = album.put(spec(picture.chart, language), is_still=picture is found[-1])
        if drawn:
            put.append(
                drawn | {"stage": picture.stage, "title": words(picture.chart.title, language)}
            )
    return evidence_view(row, language) | {"pictures": put}


def _subject(run: Run, verdict: Verdict | None) -> str:
    """Return the stage that most checks are about, else the last."""
    names = [c.stage for c in verdict.checks] if verdict else []
    return max(dict.fromkeys(names), key=names.count) if names else run.stages[-1].name


def _choices(table: Matrix, language: Language) -> dict[str, Any] | None:
    found = measures(table, language)
    if len(found) < 2:
        return None
    x, y = chosen(found)
    return {"x": x, "y": y, "options": [(m.field, m.label) for m in found]}


def _vega() -> Markup:
    from vl_convert import javascript_bundle

    return Markup(javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version="6.4"))  # noqa: S704 - a library


def _plain(value: Any) -> Any:
    """Return a recipe without what TOML cannot hold."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value if v is not None]
    return value if isinstance(value, str | int | float | bool) else str(value)
