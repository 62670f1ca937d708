"""Evidence of drift: each column and the answers, against the counts that shipped with the model."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from fivefold.core.chart import Chart
from fivefold.core.evidence import Axis, Evidence, Finding, Missing
from fivefold.core.text import Text, text
from fivefold.deploy.watch.bins import Bins
from fivefold.deploy.watch.observe import ANSWER, FIRST
from fivefold.deploy.watch.reference import Reference, watched
from fivefold.deploy.watch.shift import Shift, holm, shift
from fivefold.deploy.watch.subject import Subject
from fivefold.deploy.watch.view import View

LEAST_ROWS = 100
LEVEL = 0.05
SEED = 0  # of resamples, which decide nothing but the width of an interval
SHIFTED = text(
    "It has drifted: p = {p}, below 5 % after Holm's correction over {columns} columns. Examples are taken as independent."
)


class Compared(NamedTuple):
    """One column: its reference, what was seen of it live, and how far apart they are."""

    name: str
    bins: Bins
    live: Tensor
    shift: Shift


def drift(view: View, subject: Subject, reference: Reference) -> list[Finding]:
    """Return how far each column and the answers are from the reference."""
    compared = compare(view, subject, reference)
    has = holm([c.shift.p for c in compared], LEVEL)
    found = {
        c.name: _evidence(c, is_drift, len(compared))
        for c, is_drift in zip(compared, has, strict=True)
    }
    n_inputs, n_answers = len(_inputs(view)), len(_answers(view))
    names = [*watched(subject.schema), ""]
    return [
        found.get(name) or _missing(name, n_inputs if name else n_answers, reference)
        for name in names
    ]


def compare(view: View, subject: Subject, reference: Reference) -> list[Compared]:
    """Compare what can be compared; the answers are called ""."""
    rng = Generator().manual_seed(SEED)
    inputs = _inputs(view)
    columns = {name: inputs[:, i] for i, name in enumerate(watched(subject.schema))}
    pairs = [(b.name, b, columns[b.name]) for b in reference.inputs if b.name in columns]
    if reference.answers is not None:
        pairs.append(("", reference.answers, _answers(view)))
    return [
        _compared(name, b, values, rng) for name, b, values in pairs if len(values) >= LEAST_ROWS
    ]


def _inputs(view: View) -> Tensor:
    """Return what was seen of inputs: a missing value counts, an input that lacks all of them was never seen."""
    inputs = view.examples[:, FIRST:]
    return inputs[~inputs.isnan().all(1)]


def _answers(view: View) -> Tensor:
    answers = view.examples[:, ANSWER]
    return answers[answers.isfinite()]


def _compared(name: str, bins: Bins, values: Tensor, rng: Generator) -> Compared:
    live = bins.count(values)
    return Compared(name, bins, live, shift(torch.tensor(bins.counts), live, rng))


def _evidence(of: Compared, is_drift: bool, columns: int) -> Evidence:
    return Evidence(
        axis=Axis.GENERALIZATION,
        name="drift" if of.name else "answer_drift",
        value=of.shift.distance,
        low=of.shift.low,
        high=of.shift.high,
        n=int(of.live.sum()),
        unit="Jensen-Shannon distance",
        better="lower",
        floor=of.shift.chance,
        setting=of.name,
        interval="bootstrap of both samples",
        note=_note(of.shift, is_drift, columns),
        chart=_chart(of),
    )


def _note(found: Shift, is_drift: bool, columns: int) -> Text:
    if is_drift:
        return Text(SHIFTED.template, {"p": found.p, "columns": columns})
    return text(
        "No drift is shown: p = {p}, with Holm's correction over {columns} columns at 5 %. Sampling alone gives a distance of {chance} on average.",
        p=found.p,
        columns=columns,
        chance=found.chance,
    )


def is_drift(finding: Finding) -> bool:
    """Return whether evidence says that something has drifted."""
    return isinstance(finding, Evidence) and finding.note.template == SHIFTED.template


def _missing(name: str, n: int, reference: Reference) -> Missing:
    return Missing(
        axis=Axis.GENERALIZATION,
        name="drift" if name else "answer_drift",
        setting=name,
        reason=_why(name, n, reference),
    )


def _why(name: str, n: int, reference: Reference) -> Text:
    if reference.reason:
        return reference.reason
    known = {b.name for b in reference.inputs} if name else {"answers"} if reference.answers else set[str]()  # fmt: skip
    if (name or "answers") not in known:
        return text("The reference has no counts of it.")
    return text("Only {n} examples in the window; drift needs {least}.", n=n, least=LEAST_ROWS)


def _chart(of: Compared) -> Chart:
    return Chart(
        title=text("Values now and in the reference"),
        kind="bar",
        x="value",
        y="share of examples",
        series="when",
        rows=tuple(
            {"value": label, "share of examples": share, "when": when}
            for when, shares in (("reference", _shares(of.bins.counts)), ("live", _shares(of.live.tolist())))
            for label, share in zip(of.bins.names(), shares, strict=True)
        ),
    )  # fmt: skip


def _shares(counts: Sequence[int]) -> list[float]:
    return [c / max(sum(counts), 1) for c in counts]
