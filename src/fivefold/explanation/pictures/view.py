"""What one picture shows of an attribution: which rows, which output, which features, and how sure it is."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fivefold.core.errors import BadInput
from fivefold.core.text import Language, Text, text
from fivefold.explanation.pictures.letters import number
from fivefold.explanation.pictures.paper import Header

if TYPE_CHECKING:
    from fivefold.explanation.attribution import Attribution


TINY = 1e-6  # of the largest attribution: what is less is rounding


class View(NamedTuple):
    """Some rows of an attribution, one output of it, and the language to speak of them."""

    found: "Attribution"
    rows: tuple[int, ...]
    output: int
    language: Language

    @property
    def values(self) -> Float[Tensor, "rows features"]:
        """Attributions of these rows."""
        return self.found.values[list(self.rows), :, self.output].double()

    @property
    def half(self) -> Float[Tensor, "rows features"] | None:
        """Half the interval of each, or the bare error; infinite where nothing is known of it; None if there is none."""
        half = self.found.half_width
        if half is None:
            return None
        kept = half[list(self.rows), :, self.output].double()
        return kept.masked_fill(kept.isnan(), torch.inf)

    @property
    def seen(self) -> Float[Tensor, "rows features"] | None:
        """As `half`, with 0 for what cannot be seen beside the row's largest attribution."""
        half = self.half
        if half is None or not half.numel():
            return half
        longest = self.values.abs().amax(1, keepdim=True).clamp(min=1e-12)
        return half.where(half > TINY * longest, 0.0)

    @property
    def base(self) -> Float[Tensor, " rows"]:
        """Where the rows start from."""
        return self.found.base[list(self.rows), self.output].double()

    @property
    def score(self) -> Float[Tensor, " rows"]:
        """What is explained."""
        return self.found.score[list(self.rows), self.output].double()

    @property
    def is_converged(self) -> Bool[Tensor, " rows"]:
        """Which of the rows are sure enough."""
        return self.found.is_converged[list(self.rows)]

    @property
    def unit(self) -> str:
        """What one unit of a value is."""
        return self.found.unit.words(self.language)

    def say(self, sentence: Text) -> str:
        """Return a sentence in the reader's language."""
        return sentence.words(self.language)

    def about_output(self, told: Text) -> str:
        """Return what is said with the name of the output before it, if it has one."""
        name = self.found.outputs[self.output]
        said = self.say(told)
        return self.say(text("{name}: {said}", name=name, said=said)) if name else said


class Ranked(NamedTuple):
    """Features that are shown one by one, most important first, and those that are shown as one."""

    top: list[int]
    rest: list[int]


def of_row(found: "Attribution", row: int, output: str, language: Language) -> View:
    """Return one row, and the output named, or the one with its highest score.

    Raises:
        BadInput: There is no such row or output.
    """
    if not 0 <= row < len(found.values):
        raise BadInput(
            "There is no row {row}; the rows are 0 to {last}.",
            where="row",
            mend="Choose one of the rows that were explained.",
            row=row,
            last=len(found.values) - 1,
        )
    return View(found, (row,), found.index_of(output, row), language)


def of_all(found: "Attribution", output: str, language: Language) -> View:
    """Return all rows, and the output named, or the one that has the highest score in most rows."""
    best = found.score.argmax(1)
    usual = int(torch.bincount(best, minlength=len(found.outputs)).argmax()) if len(best) else 0
    place = found.index_of(output, 0) if output else usual
    return View(found, tuple(range(len(found.values))), place, language)


def largest(values: Float[Tensor, " features"], most: int) -> list[int]:
    """Return the positions of the largest absolute values, largest first."""
    return values.abs().sort(descending=True, stable=True).indices[:most].tolist()


def ranked(sizes: Float[Tensor, " features"], most: int) -> Ranked:
    """Return at most `most` lines: the largest features, and one line for all others if there are more.

    Raises:
        BadInput: There is room for no line.
    """
    if most < 1:
        raise BadInput(
            "A picture of {most} features shows nothing.",
            where="most",
            mend="Let it be 1 or more.",
            most=most,
        )
    order = largest(sizes, len(sizes))
    cut = len(order) if len(order) <= most else most - 1
    return Ranked(order[:cut], order[cut:])


def together(view: View, rest: Sequence[int], half: Tensor | None = None) -> str:
    """Return the name of the line for all other features, with how far off their sum may be if that is known."""
    told = view.say(text("other {k} features", k=len(rest)))
    off = 0.0 if half is None else float(bound(half, rest)[0])
    return f"{told} ± {number(off)}" if 0 < off < float("inf") else told


def bound(half: Float[Tensor, "rows features"], rest: Sequence[int]) -> Float[Tensor, " rows"]:
    """Return how far off the sum of some features may be: at most the sum of how far each may be off."""
    return half[:, list(rest)].sum(1)


def row_header(view: View) -> Header:
    """Return the header of a picture of one row."""
    told = text(
        "from {base} to {score}",
        base=number(float(view.base[0])),
        score=number(float(view.score[0])),
    )
    warning = "" if view.is_converged[0] else _unsure(view)
    return Header(view.about_output(told), facts(view), warning)


def header(view: View, headline: Text, mark: Text) -> Header:
    """Return the header of a picture of many rows; `mark` says how those are drawn that have not converged."""
    warning = "" if bool(view.is_converged.all()) else f"{_unsure(view)} {view.say(mark)}"
    return Header(view.about_output(headline), facts(view), warning)


def facts(view: View) -> tuple[str, ...]:
    """Return what the numbers rest on: base value, unit, rows, evaluations, method, and how sure they are."""
    found = view.found
    base = view.base
    told = number(float(base.mean())) if len(base) else "–"
    is_one = len(base) < 2 or float(base.max() - base.min()) < 1e-9 * max(
        1.0, float(base.abs().max())
    )
    start = (
        text("base value {base}", base=told)
        if is_one
        else text("mean base value {base}", base=told)
    )
    parts = [
        view.say(start),
        view.unit,
        view.say(text("{n} of {all} rows", n=len(view.rows), all=len(found.values))),
        view.say(text("{n} model evaluations", n=f"{found.n_evaluations:,}")),
        found.method,
        view.say(sureness(view)),
    ]
    return tuple(parts)


def sureness(view: View) -> Text:
    """Return how sure the values are: exact, within what they are known, or that nothing is known of it."""
    half = view.half
    if half is None:
        return text("exact") if view.found.is_exact else text("error not estimated")
    if not half.numel() or not bool(half.isfinite().all()):
        return text("error unknown: too few sets of features")
    most = number(float(half.max()))
    if view.found.is_standard:
        return text("95 % interval at most ± {most}", most=most)
    return text("error estimate at most ± {most}, no interval", most=most)


def _unsure(view: View) -> str:
    n = int((~view.is_converged).sum())
    if len(view.rows) == 1:
        return view.say(text("⚠ Not converged: small values may be in the wrong order."))
    return view.say(text("⚠ Not converged: {n} of {all} rows.", n=n, all=len(view.rows)))
