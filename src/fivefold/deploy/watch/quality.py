"""Evidence about the inputs and answers themselves: gaps, values out of range, confidence, and true labels."""

from math import sqrt

import torch
from jaxtyping import Bool
from torch import Tensor

from fivefold.core.evidence import Axis, Evidence, Finding, Missing
from fivefold.core.interval import Z95, clopper_pearson, mean_interval, wilson
from fivefold.core.schema import Column
from fivefold.core.text import Text, text
from fivefold.deploy.watch.observe import FIRST, SURE
from fivefold.deploy.watch.reference import Confidence, Reference, watched
from fivefold.deploy.watch.subject import Subject
from fivefold.deploy.watch.view import View

LEAST_LABELS = 10
LEAST_ANSWERS = 30


def quality(view: View, subject: Subject, reference: Reference) -> list[Finding]:
    """Return gaps, values out of range, the drop of confidence, and how right the model was."""
    return [*_inputs(view, subject), _confidence(view, subject, reference), _truth(view, subject)]


def _inputs(view: View, subject: Subject) -> list[Finding]:
    if not subject.schema.is_table:
        return []
    columns = [c for c in subject.schema.columns if c.name in watched(subject.schema)]
    values = view.examples[:, FIRST:]
    values = values[~values.isnan().all(1)]
    if not len(values):
        reason = text("No example in the window.")
        return [_missing("missing_share", reason), _missing("out_of_range_share", reason)]
    outside = torch.stack([_outside(c, values[:, i]) for i, c in enumerate(columns)], 1)
    return [
        _share("missing_share", values.isnan(), columns, text("Examples that lack a value; most often in {column}.")),
        _share("out_of_range_share", outside, columns, text("Examples with a value that the schema does not allow; most often in {column}.")),
    ]  # fmt: skip


def _outside(column: Column, values: Tensor) -> Bool[Tensor, " row"]:
    if column.is_category:
        return (values < 0) | (values >= len(column.categories))
    low = -torch.inf if column.low is None else column.low
    high = torch.inf if column.high is None else column.high
    return (values < low) | (values > high)


def _share(
    name: str, bad: Bool[Tensor, "row column"], columns: list[Column], note: Text
) -> Evidence:
    n, hits = len(bad), int(bad.any(1).sum())
    low, high = clopper_pearson(hits, n)
    most = columns[int(bad.sum(0).argmax())].name if hits else "-"
    return Evidence(
        axis=Axis.GENERALIZATION, name=name, value=hits / n, low=low, high=high, n=n,
        unit="fraction", better="lower", ceiling=0.0, interval="Clopper-Pearson",
        note=Text(note.template, {"column": most}),
    )  # fmt: skip


def _confidence(view: View, subject: Subject, reference: Reference) -> Finding:
    if not subject.task.is_classification:
        return _missing("confidence_drop", text("A number comes without confidence."))
    if reference.confidence is None:
        return _missing("confidence_drop", reference.reason or text("The reference has no counts of it."))  # fmt: skip
    sure = view.examples[:, SURE]
    sure = sure[sure.isfinite()]
    if len(sure) < LEAST_ANSWERS:
        return _missing("confidence_drop", text("Only {n} answers in the window; it takes {least}.", n=len(sure), least=LEAST_ANSWERS))  # fmt: skip
    return _drop(reference.confidence, sure)


def _drop(before: Confidence, sure: Tensor) -> Evidence:
    """Return the fall of the mean, with Welch's interval in its normal form: both samples are large."""
    now = float(sure.mean())
    error = sqrt(before.deviation**2 / before.n + float(sure.var()) / len(sure))
    drop = before.mean - now
    return Evidence(
        axis=Axis.GENERALIZATION, name="confidence_drop", value=drop, low=drop - Z95 * error,
        high=drop + Z95 * error, n=len(sure), unit="fraction", better="lower", floor=0.0,
        interval="Welch, normal",
        note=text("Mean confidence was {before} on the validation split and is {now} now.", before=before.mean, now=now),
    )  # fmt: skip


def _truth(view: View, subject: Subject) -> Finding:
    is_class = subject.task.is_classification
    name = "accuracy" if is_class else "absolute_error"
    if len(view.pairs) < LEAST_LABELS:
        return Missing(
            axis=Axis.LEARNING,
            name=name,
            reason=text("Only {n} true labels came back; it takes {least}.", n=len(view.pairs), least=LEAST_LABELS),
        )  # fmt: skip
    pairs = torch.tensor(view.pairs, dtype=torch.float64)
    return _accuracy(pairs) if is_class else _error(pairs, subject)


BACK = text("Of {n} examples whose true label came back; those may differ from the others.")


def _accuracy(pairs: Tensor) -> Evidence:
    n, hits = len(pairs), int((pairs[:, 0] == pairs[:, 1]).sum())
    low, high = wilson(hits, n)
    return Evidence(
        axis=Axis.LEARNING, name="accuracy", value=hits / n, low=low, high=high, n=n,
        unit="fraction", better="higher", floor=float(pairs[:, 1].long().bincount().max()) / n,
        ceiling=1.0, interval="Wilson", note=Text(BACK.template, {"n": n}),
    )  # fmt: skip


def _error(pairs: Tensor, subject: Subject) -> Evidence:
    mean, low, high = mean_interval((pairs[:, 0] - pairs[:, 1]).abs())
    return Evidence(
        axis=Axis.LEARNING, name="absolute_error", value=mean, low=low, high=high, n=len(pairs),
        unit=subject.task.unit or "units of the target", better="lower", ceiling=0.0,
        interval="Student's t", note=Text(BACK.template, {"n": len(pairs)}),
    )  # fmt: skip


def _missing(name: str, reason: Text) -> Missing:
    return Missing(axis=Axis.GENERALIZATION, name=name, reason=reason)
