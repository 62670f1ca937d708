"""How much an explanation depends on what stands where features are hidden (Chen, Janizek, Lundberg and Lee, 2020)."""

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import ClassVar

import torch
from torch import Generator, Tensor

from fivefold.core.data import Splits, as_tensor
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Axis, Evidence, Finding
from fivefold.core.interval import mean_interval
from fivefold.core.limits import Count
from fivefold.core.model import Model
from fivefold.core.probe import Probe
from fivefold.core.randomness import fresh_seed, spawn
from fivefold.core.schema import Schema
from fivefold.core.text import Text, text
from fivefold.explanation.explainer import Explainer
from fivefold.explanation.leverage import LeverageSHAP
from fivefold.explanation.rank import rank_correlation
from fivefold.explanation.removal import (
    BlurRemoval,
    CopulaRemoval,
    MarginalRemoval,
    NeighbourRemoval,
    Removal,
)
from fivefold.explanation.sample import Sample, explained, sample
from fivefold.explanation.trust.chance import of_others
from fivefold.explanation.trust.ratio import ratio_interval

FLAT = 1e-9  # attributions shorter than this are rounding
BLUR = 0.1  # of the shorter side of an image


@dataclass(frozen=True, kw_only=True)
class RemovalGap(Probe):
    """How far attributions move when hidden features fit the known ones instead of being taken from anywhere.

    A large gap says that the model is asked about combinations of values that do not occur, and that an
    explanation of the one kind must not be read as the other.

    Attributes:
        explainer: What makes the attributions; it must have a `removal`.
        other: What is compared with background rows as they are; by default CopulaRemoval for numbers,
            NeighbourRemoval for tables with categories or gaps, and BlurRemoval for images.
        n_rows: Test rows to explain.
        n_background: Training rows that hidden features are taken from, and dependence is learnt from.
    """

    axis: ClassVar[Axis] = Axis.EXPLANATION
    explainer: Explainer = LeverageSHAP(budget=256)
    other: Removal | None = None
    n_rows: Count = 16
    n_background: Count = 50

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Return the gap as a share of the attributions, and how far both agree on the order of features.

        Raises:
            NotMeasurable: The explainer has no `removal`, or no feature moves any answer.
        """
        rows = sample(splits, self.n_rows, self.n_background, spawn(rng))
        other = self.other or suited(model.schema, rows)
        target, seed = model.predict(as_tensor(rows.x)).argmax(-1), fresh_seed(rng)
        plain, moved = (
            explained(made, model, rows, Generator().manual_seed(seed), target)
            for made in (self._with(MarginalRemoval()), self._with(other))
        )
        if float(plain.values.norm(dim=1).max()) < FLAT:
            raise NotMeasurable("The answers stay the same whichever features are hidden.")
        setting = f"{plain.attribution.method}, {type(other).__name__}"
        note = text(
            "Background rows as they are, against {other}. By chance is meant: the attributions of another "
            "row; {unsure} of {all} attributions have not converged.",
            other=type(other).__name__,
            unsure=plain.n_unsure + moved.n_unsure,
            all=2 * len(plain.values),
        )
        return [
            _gap(plain.values, moved.values, setting, note, spawn(rng)),
            _agreement(plain.values, moved.values, setting, note),
        ]

    def _with(self, removal: Removal) -> Explainer:
        """Return the explainer with another removal."""
        made = self.explainer
        if not (is_dataclass(made) and "removal" in {f.name for f in fields(made)}):
            raise NotMeasurable(
                "{explainer} does not let its removal be chosen.",
                mend="Use LeverageSHAP, ExactShapley or OddKernelSHAP.",
                explainer=type(made).__name__,
            )
        changed = replace(made, removal=removal)
        assert isinstance(changed, Explainer)
        return changed


def suited(schema: Schema, rows: Sample) -> Removal:
    """Return how features of these inputs are hidden so that they fit what is known."""
    if not schema.is_table:
        return BlurRemoval(width=max(0.5, BLUR * min(schema.shape[-2:])))
    has_gaps = bool(as_tensor(rows.background).isnan().any())
    is_mixed = has_gaps or any(c.is_category or c.is_optional for c in schema.columns)
    return NeighbourRemoval() if is_mixed else CopulaRemoval()


def _gap(plain: Tensor, moved: Tensor, setting: str, note: Text, rng: Generator) -> Evidence:
    length = plain.norm(dim=1)
    value, low, high = ratio_interval((moved - plain).norm(dim=1), length, rng, (0.0, torch.inf))
    strangers = float((of_others(plain) - plain).norm(dim=1).sum() / length.sum())
    return Evidence(
        axis=Axis.EXPLANATION,
        name="removal_gap",
        value=value,
        low=max(low, 0.0),
        high=high,
        n=len(plain),
        unit="fraction",
        better="lower",
        floor=strangers if len(plain) > 1 else None,
        ceiling=0.0,
        setting=setting,
        interval="bootstrap over rows",
        note=note,
    )


def _agreement(plain: Tensor, moved: Tensor, setting: str, note: Text) -> Evidence:
    value, low, high = mean_interval(rank_correlation(plain, moved))
    strangers = float(rank_correlation(plain, of_others(plain)).mean())
    return Evidence(
        axis=Axis.EXPLANATION,
        name="removal_agreement",
        value=value,
        low=max(low, -1.0),
        high=min(high, 1.0),
        n=len(plain),
        unit="rank correlation",
        better="higher",
        floor=strangers if len(plain) > 1 else None,
        ceiling=1.0,
        setting=setting,
        interval="Student t over rows",
        note=note,
    )
