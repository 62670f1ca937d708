"""Features in the order of their weight, as far as it is known (intervals that overlap are not told apart)."""

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.core.text import Language, Text, text

if TYPE_CHECKING:
    from fivefold.explanation.attribution import Attribution

EQUAL = 1e-9  # relative to the largest value: rounding errors are no order


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Groups of features, the weightiest first. Inside a group nobody knows the order.

    Every feature of a group has a 95 % interval of its absolute value that lies wholly above those of all
    later groups. Each interval holds by itself, not all of them at once.

    Attributes:
        groups: Names of the features, for each group.
        is_converged: Whether the attribution behind it has converged.
        fit: R2 of the local line; NaN if the explainer has none.
    """

    groups: tuple[tuple[str, ...], ...]
    is_converged: bool
    fit: float = float("nan")

    @property
    def is_told(self) -> bool:
        """Whether there is any order at all."""
        return len(self.groups) > 1

    def words(self, language: Language = "en") -> str:
        """Return the ranking in `language`, with what must be known to trust it."""
        lines = [told.words(language) for told in self._places()]
        return "\n".join([*(w.words(language) for w in self._warnings()), *lines])

    def __str__(self) -> str:
        return self.words()

    def _repr_html_(self) -> str:
        return "<div>" + "<br>".join(escape(line) for line in self.words().split("\n")) + "</div>"

    def _places(self) -> list[Text]:
        place, found = 1, list[Text]()
        for names in self.groups:
            listed = ", ".join(names)
            last = place + len(names) - 1
            if len(names) == 1:
                found.append(text("{place}. {names}", place=place, names=listed))
            else:
                found.append(
                    text(
                        "{place} to {last}, not told apart: {names}",
                        place=place,
                        last=last,
                        names=listed,
                    )
                )
            place = last + 1
        return found

    def _warnings(self) -> list[Text]:
        if self.is_converged:
            return []
        if self.fit == self.fit:
            return [
                text(
                    "Not converged: the error is large, or the line (R2 {fit}) does not describe the model here.",
                    fit=self.fit,
                )
            ]
        return [text("Not converged: raise the budget before trusting this order.")]


def ranking(found: "Attribution", row: int = 0, output: str = "") -> Ranking:
    """Return the features of one example by absolute value, as far as they are told apart.

    Args:
        found: The attributions.
        row: Which example.
        output: Name of the output; the one with the highest score by default.
    """
    at, half = found.index_of(output, row), found.half_width
    groups = told_apart(found.values[row, :, at], None if half is None else half[row, :, at])
    return Ranking(
        groups=tuple(tuple(found.names[i] for i in group) for group in groups),
        is_converged=bool(found.is_converged[row]),
        fit=float("nan") if found.fit is None else float(found.fit[row, at]),
    )


def told_apart(
    values: Float[Tensor, " features"], half_width: Float[Tensor, " features"] | None
) -> list[list[int]]:
    """Return the groups of features whose intervals overlap, directly or through others.

    Groups and the features in them are in the order of their absolute values, as `rank.top_overlap` has it.
    """
    size = values.double().abs()
    half = torch.zeros_like(size) if half_width is None else half_width.double()
    low, high = (size - half).clamp(min=0), size + half
    slack = EQUAL * float(size.max()) if len(size) else 0.0
    groups: list[list[int]] = []
    lowest = float("-inf")
    for i in high.sort(descending=True, stable=True).indices.tolist():
        if not groups or float(high[i]) < lowest - slack:
            groups.append([])
            lowest = float("inf")
        groups[-1].append(i)
        lowest = min(lowest, float(low[i]))
    place = size.sort(descending=True, stable=True).indices.argsort()
    return [sorted(group, key=lambda i: int(place[i])) for group in groups]
