"""Counterfactuals as pictures: what changes, from -> to, and HTML without scripts."""

from html import escape
from textwrap import wrap
from typing import TYPE_CHECKING, NamedTuple

from fivefold.core.text import Text, text
from fivefold.explanation.counterfactual.told import failure, outcome, pair

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fivefold.explanation.counterfactual.answer import Counterfactuals

MOST_ROWS = 5
UP, DOWN, OTHER = "#b2182b", "#2166ac", "#7f7f7f"


class Bar(NamedTuple):
    """One changed column: its name, from -> to, and the length of the change with its sign."""

    column: str
    told: str
    length: float
    colour: str


def draw(found: "Counterfactuals", row: int, ax: "Axes | None") -> "Axes":
    """Draw the answers of one row one below the other and return the axes; nothing is shown or saved."""
    if ax is None:
        from matplotlib.figure import Figure

        ax = Figure(layout="constrained").subplots()
    answers = [a for a in range(found.found.shape[1]) if found.found[row, a]]
    ax.set_title(str(_title(found, row)), fontsize="medium")
    if not answers:
        why = "\n".join(wrap(str(failure(found, row)), 50))
        ax.text(0.5, 0.5, why, ha="center", va="center", transform=ax.transAxes)
        ax.set_axis_off()
        return ax
    names: list[str] = []
    for turn, answer in enumerate(answers):
        names += ["" for _ in range(turn > 0)]
        for bar in bars(found, row, answer):
            place = len(names)
            ax.barh(place, bar.length, color=bar.colour)
            ax.annotate(
                bar.told,
                (max(bar.length, 0.0), place),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize="small",
            )
            names.append("\n".join(wrap(bar.column, 30)))
    _finish(ax, names)
    return ax


def bars(found: "Counterfactuals", row: int, answer: int) -> list[Bar]:
    """Return the changed columns of an answer; a category or a filled gap is a grey bar of length 1."""
    columns = {c.name: c for c in found.schema.columns}
    made: list[Bar] = []
    for change in found.changes(row, answer):
        column, told = columns[change.column], " → ".join(pair(found.schema, change))
        if column.is_category or change.old != change.old:
            made.append(Bar(column.name, told, 1.0, OTHER))
        else:
            length = (change.new - change.old) / column.scale
            made.append(Bar(column.name, told, length, UP if length > 0 else DOWN))
    return made


def as_html(found: "Counterfactuals") -> str:
    """Return the first few rows as tables of what changes."""
    rows = range(min(MOST_ROWS, len(found.x)))
    some = int(found.found.any(1).sum()) if found.found.shape[1] else 0
    summary = text(
        "{found} of {n} rows have a change that turns the answer; {evaluations} model evaluations.",
        found=some,
        n=len(found.x),
        evaluations=int(found.n_evaluations.sum()),
    )
    late = int(found.is_stopped.sum())
    stopped = text("The time limit ended the search of {n} rows.", n=late) if late else Text("")
    lead = escape(" ".join(str(s) for s in (summary, stopped) if s))
    return f"<div><p>{lead}</p>{''.join(_table(found, row) for row in rows)}</div>"


def _title(found: "Counterfactuals", row: int) -> Text:
    if found.before[row].isnan().any():
        return text("The model was not asked about this row in time.")
    return text("Changes after which the answer is no longer {before}", before=outcome(found, row))


def _finish(ax: "Axes", names: list[str]) -> None:
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(axis="y", length=0)
    ax.invert_yaxis()
    ax.axvline(0, color="0.3", linewidth=0.8)
    ax.margins(x=0.35)
    ax.set_xlabel(str(text("change in units of each column's scale")))


def _table(found: "Counterfactuals", row: int) -> str:
    head = f"<caption>{escape(str(_title(found, row)))}</caption>"
    answers = [a for a in range(found.found.shape[1]) if found.found[row, a]]
    if not answers:
        return f"<table>{head}<tr><td>{escape(str(failure(found, row)))}</td></tr></table>"
    return f"<table>{head}{''.join(_lines(found, row, a) for a in answers)}</table>"


def _lines(found: "Counterfactuals", row: int, answer: int) -> str:
    after = escape(outcome(found, row, answer))
    length = f"{float(found.distance[row, answer]):.3g}"
    head = f"<tr><th colspan='2' style='text-align:left'>{after}</th><td>{length}</td></tr>"
    cells = [
        f"<tr><td>{escape(bar.column)}</td><td>{escape(bar.told)}</td><td>{bar.length:+.3g}</td></tr>"
        for bar in bars(found, row, answer)
    ]
    return head + "".join(cells)
