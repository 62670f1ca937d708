"""What a picture of interactions shows: one answer or the mean of all, the features that matter, and its header."""

from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fivefold.core.errors import BadInput
from fivefold.core.text import Language, Text, text
from fivefold.explanation.pictures.letters import number
from fivefold.explanation.pictures.paper import Header

if TYPE_CHECKING:
    from fivefold.explanation.interactions.result import Interactions


ROUNDING = 1e-9  # what is less than this share of the largest value is 0


class View(NamedTuple):
    """Numbers to draw, and what is said above them.

    Attributes:
        names: Names of the features drawn.
        values: Main effects on the diagonal, pairs beside it.
        is_unsure: Whether the 95 % interval of a value holds 0.
        is_signed: Whether the values have signs; means of absolute values have none.
        unit: What one unit is.
        header: What to say.
        language: Of the words.
    """

    names: tuple[str, ...]
    values: Float[Tensor, "features features"]
    is_unsure: Bool[Tensor, "features features"]
    is_signed: bool
    unit: str
    header: Header
    language: Language


def view_of(
    found: "Interactions", row: int | None, output: str, most: int, language: Language
) -> View:
    """Return what to draw.

    Raises:
        BadInput: There is no such row or output, or nothing to draw.
    """
    _refuse_what_is_not_there(found, row, most)
    at = found.index_of(output, row or 0)
    half = found.half_width
    if row is None:
        values = found.values[..., at].abs().mean(0)
        unsure = torch.zeros_like(values).bool()
    else:
        values = found.values[row, :, :, at]
        unsure = torch.zeros_like(values).bool()
        if half is not None:
            unsure = half[row, :, :, at] >= values.abs()
    values = values.where(values.abs() > ROUNDING * values.abs().max(), 0.0)
    weight = values.abs().sum(1)
    kept = weight.sort(descending=True, stable=True).indices[:most].sort().values
    return View(
        tuple(found.names[i] for i in kept.tolist()),
        values[kept][:, kept],
        unsure[kept][:, kept],
        row is not None,
        found.unit.words(language),
        _header(found, row, at, len(kept), language),
        language,
    )


def _header(
    found: "Interactions", row: int | None, at: int, n_kept: int, language: Language
) -> Header:
    output = found.outputs[at]
    if row is None:
        headline = text("{output}: how features act together, mean of {n} rows", output=output, n=len(found.values))  # fmt: skip
    else:
        headline = text(
            "{output}: how features act together, from {base} to {score}",
            output=output,
            base=number(float(found.base[row, at])),
            score=number(float(found.score[row, at])),
        )
    facts = [
        Text(found.method),
        found.unit,
        text("{n} model evaluations", n=found.n_evaluations),
        _doubt(found, row, at),
    ]
    if n_kept < found.groups.n:
        facts.append(text("{shown} of {n} features shown", shown=n_kept, n=found.groups.n))
    told = tuple(f.words(language) for f in facts)
    return Header(headline.words(language), told, _warning(found, row).words(language))


def _doubt(found: "Interactions", row: int | None, at: int) -> Text:
    if found.half_width is None:
        return text("exact")
    rows = slice(None) if row is None else slice(row, row + 1)
    most = float(found.half_width[rows, ..., at].max())
    if most == float("inf"):
        return text("error unknown: too few sets of features")
    return text("95 % interval at most ± {most}", most=number(most))


def _warning(found: "Interactions", row: int | None) -> Text:
    sure = found.is_converged if row is None else found.is_converged[row : row + 1]
    if bool(sure.all()):
        return Text("")
    return text("⚠ Not converged: {n} of {all} rows.", n=int((~sure).sum()), all=len(sure))


def _refuse_what_is_not_there(found: "Interactions", row: int | None, most: int) -> None:
    if row is not None and not 0 <= row < len(found.values):
        raise BadInput(
            "There is no row {row} among {n}.",
            where="row",
            mend="Choose one of the rows that were explained.",
            row=row,
            n=len(found.values),
        )
    if most < 1:
        raise BadInput(
            "A picture of {most} features shows nothing.",
            where="most",
            mend="Let it be 1 or more.",
            most=most,
        )
