import json
from dataclasses import replace

from fivefold.core.evidence import Axis, Evidence, Missing
from fivefold.core.text import text
from fivefold.report import change, matrix
from fivefold.report.number import Scale, scale_for
from fivefold.report.terminal import plain
from report.made_up import NAMES


def test_every_cell_is_what_a_slow_search_finds(run):
    table = matrix(run)
    for stage in run.stages:
        for finding in (*stage.findings, *stage.changes):
            cell = table.cell(finding.key, stage.name)
            assert finding in (cell.evidence, cell.missing)
        for finding in stage.findings:
            before = (
                [f for f in run.stage(stage.parent).findings if f.key == finding.key]
                if stage.parent
                else []
            )
            if isinstance(finding, Evidence) and before and isinstance(before[0], Evidence):
                assert table.cell(finding.key, stage.name).change == change(before[0], finding)


def test_a_branch_is_compared_with_its_parent_and_not_with_the_stage_before_it(run):
    table = matrix(run)
    values = {s: e.value for s in NAMES if (e := table.cell("learning.accuracy", s).evidence)}
    found = table.cell("learning.accuracy", "robust").change
    assert (
        found
        and found.value
        == values["robust"] - values["plain"]
        != values["robust"] - values["private"]
    )


def test_a_comparison_has_no_change_of_its_own(run):
    cells = matrix(run).row("explanation.attribution_agreement").cells
    assert [bool(c.evidence) for c in cells] == [False, True, True, True, True, True]
    assert not any(c.change for c in cells)


def test_a_reason_without_a_setting_stands_in_every_row_of_its_name(run):
    robust = next(f for f in run.stages[1].findings if f.name == "robust_accuracy")
    reason = Missing(
        axis=Axis.GENERALIZATION, name="robust_accuracy", reason=text("{problem}", problem="no net")
    )
    last = replace(run.stages[-1], findings=(reason,))
    table = matrix(replace(run, stages=(*run.stages[:-1], last)))
    assert table.cell(robust.key, "int8").missing == reason
    assert reason.key not in [r.key for r in table.rows]


def test_rows_are_json_and_name_every_cell_once(run):
    rows = matrix(run).to_rows()
    assert len({(r["key"], r["stage"], r["is_comparison"]) for r in rows}) == len(rows)
    again = json.loads(json.dumps(rows, allow_nan=False))
    epsilon = next(
        r for r in again if r["key"].startswith("privacy.epsilon") and r["stage"] == "plain"
    )
    assert (epsilon["value"], epsilon["judgement"]) == ("inf", "worse")


def test_the_terminal_shows_every_stage_value_and_mark(run):
    shown = plain(matrix(run))
    assert all(name in shown for name in NAMES)
    assert "0.965 ▲" in shown and "0.222 ▼" in shown and "[0.926, 0.984]" in shown


def test_markup_in_a_name_stays_text(run):
    odd = replace(run, name="[red]x[/red]")
    assert "[red]x[/red]" in plain(matrix(odd))


def test_a_growing_run_has_a_matrix(run):
    for n in range(1, 6):
        assert matrix(replace(run, stages=run.stages[:n])).stages == NAMES[:n]


def test_the_notebook_picture_asks_for_nothing(run):
    html = matrix(run)._repr_html_()
    assert "<table" in html and "0.965" in html and "<script" not in html and "http" not in html


def test_numbers_are_shown_with_three_digits_and_a_fitting_prefix():
    assert scale_for("seconds", [0.0012, 0.0034]) == Scale(1e-3, "ms")
    assert scale_for("bytes", [21_400.0, 1_200.0]).show(21_400.0) == "21.4"
    assert scale_for("fraction", [0.5]).show(0.93567) == "0.936"
    assert Scale(1.0, "").show(float("inf")) == "∞"
    assert Scale(1.0, "").show(-0.01, signed=True) == "−0.0100"
    assert Scale(1.0, "fraction").show(-0.0001, signed=True) == "0.000"
    assert Scale(1.0, "").show(12345.6) == "12,346"
