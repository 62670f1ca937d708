"""Max-sensitivity: whether an explanation survives small changes of the input (Yeh et al., 2019), and another seed."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from fivefold.core.data import Splits, as_tensor
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Axis, Evidence, Finding
from fivefold.core.interval import mean_interval
from fivefold.core.limits import Count, Positive
from fivefold.core.model import Model
from fivefold.core.probe import Probe
from fivefold.core.randomness import spawn
from fivefold.core.schema import Schema
from fivefold.core.text import Text, text
from fivefold.explanation.explainer import Explainer
from fivefold.explanation.rank import rank_correlation
from fivefold.explanation.sample import QUICK, Explained, Sample, explained, sample
from fivefold.explanation.trust.chance import of_others
from fivefold.explanation.trust.sensitivity import largest_change, relative_change


@dataclass(frozen=True, kw_only=True)
class Stability(Probe):
    """How far attributions move when the input moves a little, and when only the seed changes.

    Attributes:
        explainer: What makes the attributions.
        eps: Largest change of each value, linf, in units of the schema.
        n_rows: Test rows to explain.
        n_background: Training rows that stand for "not known".
        n_changes: Random changes of each row; the worst of them counts.
    """

    axis: ClassVar[Axis] = Axis.EXPLANATION
    explainer: Explainer = QUICK
    eps: Positive = 0.05
    n_rows: Count = 16
    n_background: Count = 32
    n_changes: Count = 3

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Return the largest relative change, the lowest rank correlation, and agreement of two seeds.

        Raises:
            NotMeasurable: No value of an input may move.
        """
        rows = sample(splits, self.n_rows, self.n_background, spawn(rng))
        x = as_tensor(rows.x)
        target = model.predict(x).argmax(-1)
        moved = _moved(x, model.schema, self.eps, self.n_changes, spawn(rng))
        # one call for all, so that an example and its neighbours are explained with the same sets
        everything = Sample(torch.cat([x, moved.flatten(0, 1)]), rows.background)
        targets = target.repeat(1 + self.n_changes)
        found = explained(self.explainer, model, everything, spawn(rng), targets)
        again = explained(self.explainer, model, rows, spawn(rng), target)
        return self._findings(found, again)

    def _findings(self, found: Explained, again: Explained) -> list[Finding]:
        plain, *others = found.values.chunk(1 + self.n_changes)
        method = found.attribution.method
        setting = f"{method}, linf eps {self.eps:g}"
        change = largest_change(plain, torch.stack(others))
        ranks = torch.stack([rank_correlation(plain, o) for o in others]).amin(0)
        strangers, alike_anyway = _by_chance(plain)
        seeds = rank_correlation(plain, again.values)
        worst = text(
            "The worst of {n} random changes per row, so the true worst may be worse; by chance is meant: "
            "another row in place of a changed one; {unsure} of {all} attributions have not converged.",
            n=self.n_changes,
            unsure=found.n_unsure,
            all=len(found.values),
        )
        alike = text("Two explanations of the same rows that differ in nothing but the seed.")
        return [
            _change(change, strangers, setting, worst),
            _ranks("rank_stability", ranks, alike_anyway, setting, worst),
            _ranks("seed_agreement", seeds, alike_anyway, method, alike),
        ]


def _by_chance(values: Tensor) -> tuple[float | None, float | None]:
    """Return the change, and the rank correlation, of each row with another; None if there is no other."""
    if len(values) < 2:
        return None, None
    others = of_others(values)
    change, ranks = relative_change(values, others), rank_correlation(values, others)
    return float(change.mean()), float(ranks.mean())


def _change(change: Tensor, strangers: float | None, setting: str, note: Text) -> Evidence:
    value, low, high = mean_interval(change)
    return Evidence(
        axis=Axis.EXPLANATION,
        name="sensitivity",
        value=value,
        low=max(low, 0.0),
        high=high,
        n=len(change),
        unit="fraction",
        better="lower",
        floor=strangers,
        ceiling=0.0,
        setting=setting,
        interval="Student t over rows",
        note=note,
    )


def _ranks(name: str, ranks: Tensor, strangers: float | None, setting: str, note: Text) -> Evidence:
    value, low, high = mean_interval(ranks)
    return Evidence(
        axis=Axis.EXPLANATION,
        name=name,
        value=value,
        low=max(low, -1.0),
        high=min(high, 1.0),
        n=len(ranks),
        unit="rank correlation",
        better="higher",
        floor=strangers,
        ceiling=1.0,
        setting=setting,
        interval="Student t over rows",
        note=note,
    )


def _moved(
    x: Float[Tensor, "rows ..."], schema: Schema, eps: float, n: int, rng: Generator
) -> Float[Tensor, "changes rows ..."]:
    """Return `n` random neighbours of each row, inside the box of `eps` and the schema's range."""
    space = schema.space()
    if not space.can_move.any():
        raise NotMeasurable("No value of these inputs may move, so nearby inputs do not exist.")
    step = torch.rand(n, *x.shape, generator=rng) * 2 - 1
    near = (x + eps * space.unit * step).clamp(space.low, space.high)
    return torch.where(space.can_move, near, x)
