"""Written findings: what one promise cost another, and what the numbers do not allow anybody to claim."""

from dataclasses import dataclass
from itertools import product
from math import inf, isfinite
from typing import Literal, NamedTuple

from fivefold.core.evidence import Axis, Evidence
from fivefold.core.text import Fact, Text, text
from fivefold.recipe import Run, Stage
from fivefold.recipe.stage import START
from fivefold.report.change import Change, change
from fivefold.report.matrix import Matrix, matrix
from fivefold.report.row import Cell, Row

SLIGHT = 0.01  # of the natural range: below it a certain change is still not worth a sentence


@dataclass(frozen=True, kw_only=True)
class Written:
    """A sentence that the evidence carries.

    Attributes:
        kind: A trade between two promises, or a warning about one.
        sentence: What is found.
        stage: Where; "" if at several stages.
        strength: How strong it is, at most 1.
    """

    kind: Literal["trade", "warning"]
    sentence: Text
    stage: str
    strength: float


class Moved(NamedTuple):
    """A number that a step certainly changed."""

    row: Row
    before: Evidence
    after: Evidence
    change: Change


def findings(run: Run) -> list[Written]:
    """Return every finding of a run, the strongest first; none whose interval includes "no change"."""
    table = matrix(run)
    found = [*_trades(run, table), *_lost_epsilons(table), *_against_chance(table)]
    return sorted(found, key=lambda f: -f.strength)


def _trades(run: Run, table: Matrix) -> list[Written]:
    found: list[Written] = []
    for stage in run.stages:
        reference = _reference(run, stage)
        moved = _moved(table, stage.name, reference)
        gains, losses = _intended(stage, _strongest(moved, "better")), _strongest(moved, "worse")
        found += [
            _trade(stage, reference, gain, loss)
            for gain, loss in product(gains, losses)
            if gain.row.axis != loss.row.axis
        ]
    return found


def _intended(stage: Stage, gains: list[Moved]) -> list[Moved]:
    """Return the gain on the axis that the step is made for; all gains if it is not among them."""
    axis = str(stage.step.get("use", "")).partition(".")[0]
    return [g for g in gains if g.row.axis == axis] or gains


def _reference(run: Run, stage: Stage) -> str:
    """Return what a stage is compared with: its parent, or where that has learnt nothing its eldest sibling."""
    if stage.parent != START:
        return stage.parent
    eldest = next(s.name for s in run.stages if s.parent == START)
    return eldest if eldest != stage.name else ""


def _moved(table: Matrix, stage: str, reference: str) -> list[Moved]:
    moved: list[Moved] = []
    for row in table.rows:
        cells = {c.stage: c.evidence for c in row.cells}
        before, after = cells.get(reference), cells[stage]
        changed = change(before, after) if before and after and not row.is_comparison else None
        if before and after and changed and changed.strength >= SLIGHT:
            moved.append(Moved(row, before, after, changed))
    return moved


def _strongest(moved: list[Moved], judgement: Literal["better", "worse"]) -> list[Moved]:
    """Return the strongest change of each axis."""
    fitting = [m for m in moved if m.change.judgement == judgement]
    by_axis = {axis: [m for m in fitting if m.row.axis == axis] for axis in Axis}
    return [
        max(of_axis, key=lambda m: m.change.strength) for of_axis in by_axis.values() if of_axis
    ]


def _trade(stage: Stage, reference: str, gain: Moved, loss: Moved) -> Written:
    sentence = text(
        "{step} ({stage}, against {reference}) improved {gain}{gain_setting}: {gain_told}, and cost {loss}{loss_setting}: {loss_told}.",
        step=str(stage.step.get("use", "")).rpartition(".")[2],
        stage=stage.name,
        reference=reference,
        gain=_name(gain.row),
        gain_setting=_setting(gain.row),
        gain_told=_told(gain),
        loss=_name(loss.row),
        loss_setting=_setting(loss.row),
        loss_told=_told(loss),
    )
    strength = min(gain.change.strength, loss.change.strength)
    return Written(kind="trade", sentence=sentence, stage=stage.name, strength=strength)


def _name(row: Row) -> str:
    return row.name.replace("_", " ")


def _setting(row: Row) -> str:
    return f" ({row.setting})" if row.setting else ""


def _told(moved: Moved) -> str:
    """Return both values and their difference in signs that need no translation."""
    scale, changed = moved.row.scale, moved.change
    unit = "" if scale.unit in ("", "fraction") else f" {scale.unit}"
    both = f"{scale.show(moved.before.value)} → {scale.show(moved.after.value)}{unit}"
    if not isfinite(changed.value):
        return both
    bounds = scale.interval(changed.low, changed.high, signed=True)
    return (
        f"{both} ({scale.show(changed.value, signed=True)} {bounds if changed.low < changed.high else ''}".rstrip()
        + ")"
    )


def _lost_epsilons(table: Matrix) -> list[Written]:
    """Return the stages at which a finite epsilon became infinite."""
    rows = [r for r in table.rows if r.axis == Axis.PRIVACY and r.name == "epsilon"]
    learnt = {
        s
        for s, parent in zip(table.stages, table.parents, strict=True)
        if parent not in ("", START)
    }
    return [
        Written(
            kind="warning",
            sentence=text(
                "The formal privacy promise was lost at {stage}: epsilon was finite before this step and is infinite after it.",
                stage=cell.stage,
            ),
            stage=cell.stage,
            strength=1.0,
        )
        for row in rows
        for cell in row.cells
        if cell.stage in learnt and cell.change and cell.change.low == inf
    ]


def _against_chance(table: Matrix) -> list[Written]:
    """Return a warning for each number that is no better than chance, or where an attacker beats chance."""
    return [
        w for row in table.rows if not row.is_comparison for w in (_leak(row), _chance(row)) if w
    ]


def _leak(row: Row) -> Written | None:
    hit = [(c.stage, e) for c in _trained(row) if (e := c.evidence) and e.better == "lower"
           and e.floor is not None and e.low > e.floor]  # fmt: skip
    if not hit:
        return None
    sentence = text(
        "An attacker beats chance: {name}{setting} is certainly above {floor} at {stages}."
        if row.axis in (Axis.PRIVACY, Axis.SECURITY)
        else "A trivial method does better: {name}{setting} is certainly above {floor} at {stages}.",
        **_place(row, hit),
    )
    excess = max(e.low - (e.floor or 0) for _, e in hit)
    return Written(kind="warning", sentence=sentence, stage=_one(hit), strength=min(1.0, excess))


def _chance(row: Row) -> Written | None:
    hit = [(c.stage, e) for c in _trained(row) if (e := c.evidence) and e.better == "higher"
           and e.floor is not None and e.low <= e.floor]  # fmt: skip
    if not hit:
        return None
    sentence = text(
        "{name}{setting} is not shown to be better than chance ({floor}) at {stages}.",
        **_place(row, hit),
    )
    lack = max((e.floor or 0) - e.low for _, e in hit)
    return Written(kind="warning", sentence=sentence, stage=_one(hit), strength=min(1.0, lack))


def _trained(row: Row) -> list[Cell]:
    """Return the cells after the start: a model that has learnt nothing yet proves nothing."""
    return list(row.cells[1:])


def _place(row: Row, hit: list[tuple[str, Evidence]]) -> dict[str, Fact]:
    return {
        "name": _name(row),
        "setting": _setting(row),
        "floor": row.scale.show(hit[0][1].floor or 0.0),
        "stages": ", ".join(stage for stage, _ in hit),
    }


def _one(hit: list[tuple[str, Evidence]]) -> str:
    return hit[0][0] if len(hit) == 1 else ""
