"""How near guesses come to the rows, and how near guesses come that read no update."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fivefold.core.schema import Schema

Kind: TypeAlias = Literal["images", "tables", "tokens"]
Gaps: TypeAlias = Callable[[Tensor, Tensor], Float[Tensor, "guess row"]]
LEAST_GAP = 1e-10  # mean squared error of pixels below which two images are the same: 100 dB
PSNR, ERROR, RECALL = 20.0, 0.1, 0.9  # from which a row counts as given away


@dataclass(frozen=True)
class Judge:
    """Compares guesses with rows.

    Attributes:
        schema: What the rows are.
        spread: Standard deviation of each column among rows that no client has; for images 1.
    """

    schema: Schema
    spread: Tensor

    @property
    def kind(self) -> Kind:
        """What is compared."""
        return "tables" if self.schema.is_table or len(self.schema.shape) == 1 else "images"

    def scores(
        self, guess: Float[Tensor, "client row ..."], rows: Float[Tensor, "client row ..."]
    ) -> Float[Tensor, "client row"]:
        """Return for each row how near the guess comes that is matched with it.

        An update does not say in what order the rows were, so guesses are matched with rows so that they
        fit best.
        """
        from scipy.optimize import linear_sum_assignment

        told: list[Tensor] = []
        for own, real in zip(guess, rows, strict=True):
            gap = self._gaps(own, real)
            i, j = linear_sum_assignment(gap.numpy())
            matched = torch.empty(len(real), dtype=torch.float64)
            matched[torch.from_numpy(j)] = gap[torch.from_numpy(i), torch.from_numpy(j)]
            told.append(matched)
        found = torch.stack(told)
        return found.sqrt() if self.kind == "tables" else -10 * found.clamp(min=LEAST_GAP).log10()

    def _gaps(
        self, guess: Float[Tensor, "guess ..."], rows: Float[Tensor, "row ..."]
    ) -> Float[Tensor, "guess row"]:
        """Return the mean squared distance of each guess from each row."""
        a, b = guess.double().flatten(1)[:, None], rows.double().flatten(1)[None]
        gap = ((a - b) / self.spread.flatten()).square()
        for i, column in enumerate(self.schema.columns):
            if column.is_category:
                gap[..., i] = (a[..., i] != b[..., i]).double()
        one_gone, both_gone = a.isnan() ^ b.isnan(), a.isnan() & b.isnan()
        return gap.masked_fill(one_gone, 1.0).masked_fill(both_gone, 0.0).mean(-1)


def judge_of(schema: Schema, others: Float[Tensor, "row ..."]) -> Judge:
    """Return what compares rows of this schema; `others` are rows that no client has."""
    if not schema.is_table and len(schema.shape) > 1:
        return Judge(schema, torch.ones(()))
    flat = others.double()
    spread = (flat - flat.nanmean(0)).square().nanmean(0).sqrt()
    return Judge(schema, torch.where(spread > 0, spread, 1.0).nan_to_num(1.0))


def given_away(score: Float[Tensor, "client row"], kind: Kind) -> Bool[Tensor, "client row"]:
    """Return which rows count as given away."""
    if kind == "tables":
        return score <= ERROR
    return score >= (PSNR if kind == "images" else RECALL)
