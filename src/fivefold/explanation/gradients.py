"""Integrated gradients (Sundararajan, Taly and Yan, 2017), refined on nested points until the values add up."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from fivefold.core.data import Inputs
from fivefold.core.limits import Count, Positive
from fivefold.core.model import Model, with_net
from fivefold.explanation.attribution import Attribution, is_sure
from fivefold.explanation.nested import added, places, weights
from fivefold.explanation.output import output_names, unit
from fivefold.explanation.question import asked
from fivefold.explanation.smooth import Smooth, slopes, smooth
from fivefold.perturb import Features, in_parts

CELLS = 2**20  # values of inputs on the path that exist at one time
SURE = 0.1  # largest error of a converged row, as a share of its attributions
ROOM = 2**23  # shares of features, at points of the path, that are remembered


@dataclass(frozen=True, kw_only=True)
class IntegratedGradients:
    """Gradients along the straight line from each background row to the example, averaged over the rows.

    Tables are walked behind the layer that prepares them, where a category and a missing value are
    numbers too, and what belongs to one column is added up again. Where memory runs out, fewer points
    are taken at one time.

    Points are nested, so that refining a line wastes none of them: Gauss-Legendre is as accurate for as many
    points and starts anew each time. Halving intervals only where the sum is off would need fewer points
    still, and give values that are further from the truth than their sum shows; so lines are refined evenly.
    The error of a value is half of how far the last doubling moved it.

    Attributes:
        intervals: On the line at first, raised to a power of two; doubled while values do not add up, or move by much.
        most_intervals: Where doubling ends.
        tolerance: Largest |sum of values - (score - base)|, as a share of max(1, |score - base|).
        features: What counts as one feature.
    """

    intervals: Count = 8
    most_intervals: Count = 256
    tolerance: Positive = 0.01
    features: Features = Features()

    def evaluations(self, n: int, rows: int, background: int) -> int:
        """Return at most how many inputs the model will answer; rows that add up early ask for far fewer."""
        most = max(2 ** (self.intervals - 1).bit_length(), self.most_intervals)
        return rows * background * (most + 1) + rows + background

    def __call__(
        self, model: Model, x: Inputs, background: Inputs, *, rng: Generator
    ) -> Attribution:
        """Return the values for each output; `rng` is not used.

        Raises:
            NotMeasurable: The model has no network, or its line crosses categories or missing values.
            LimitReached: Not even one line fits into memory.
        """
        model = with_net(model, self)
        question = asked(model, x, background, self.features)
        way = smooth(model, question)
        values, change, n_evaluations = self._refined(way)
        lines = (len(way.x), len(way.background))
        values, change = values.unflatten(0, lines).mean(1), change.unflatten(0, lines).mean(1)
        error = change.abs() / 2
        score, base = way.full, way.empty.mean(0).expand_as(way.full)
        return Attribution(
            values=values,
            base=base,
            score=score,
            error=error,
            is_standard=False,
            is_converged=_adds_up(values, base, score, self.tolerance)
            & is_sure(values, error, SURE),
            groups=question.groups,
            outputs=output_names(model.task),
            method="IntegratedGradients",
            unit=unit(model.task),
            n_evaluations=n_evaluations,
        )

    def _refined(self, way: Smooth) -> "_Walked":
        """Walk every line, some at a time, and count the points."""
        rise = (way.full[:, None] - way.empty).flatten(0, 1)
        each = (max(self.intervals, self.most_intervals) + 1) * way.n * rise.shape[1]
        found = [
            self._walked(way, part, rise[part])
            for part in torch.arange(len(rise)).split(max(1, ROOM // each))
        ]
        count = len(way.x) + len(way.background) + sum(f.n_points for f in found)
        values, change = torch.cat([f.values for f in found]), torch.cat([f.change for f in found])
        return _Walked(values, change, count)

    def _walked(
        self, way: Smooth, lines: Int[Tensor, " lines"], rise: Float[Tensor, "lines outputs"]
    ) -> "_Walked":
        """Walk lines, then those that do not add up, or still move, with twice the intervals, and so on."""
        first = intervals = 2 ** (self.intervals - 1).bit_length()
        values = torch.zeros(len(lines), way.n, rise.shape[1], dtype=torch.float64)
        change, left = torch.zeros_like(values), torch.arange(len(lines))
        known, count = values[:, None][:, :0], 0
        while len(left) and intervals <= max(first, self.most_intervals):
            at = places(intervals)[added(intervals, first)]
            known = _between(known, _walk(way, lines[left], at))
            values[left] = torch.einsum("q,lqfo->lfo", weights(intervals), known)
            change[left] = values[left] - _halved(known, intervals)
            gap = (rise - values.sum(1))[left].abs()
            is_off = (gap > self.tolerance * rise[left].abs().clamp(min=1)).any(-1)
            is_off |= ~is_sure(values[left], change[left] / 2, SURE)
            count += len(left) * len(at)
            intervals, left, known = intervals * 2, left[is_off], known[is_off]
        return _Walked(values, change, count)


class _Walked(NamedTuple):
    """Values of lines, how far the last doubling moved them, and how many points were looked at."""

    values: Float[Tensor, "lines features outputs"]
    change: Float[Tensor, "lines features outputs"]
    n_points: int


def _halved(
    known: Float[Tensor, "lines points features outputs"], intervals: int
) -> Float[Tensor, "lines features outputs"]:
    """Return what half as many intervals, or their two ends, would have said."""
    if intervals == 1:
        return known[:, 0]
    return torch.einsum("q,lqfo->lfo", weights(intervals // 2), known[:, ::2])


def _between(known: Tensor, new: Tensor) -> Float[Tensor, "lines points features outputs"]:
    """Return the points in order along the line: each new one lies between two known ones."""
    if not known.shape[1]:
        return new
    both = new.new_empty(len(new), known.shape[1] + new.shape[1], *new.shape[2:])
    both[:, ::2], both[:, 1::2] = known, new
    return both


def _adds_up(
    values: Float[Tensor, "rows features outputs"],
    base: Float[Tensor, "rows outputs"],
    score: Float[Tensor, "rows outputs"],
    tolerance: float,
) -> Tensor:
    """Return whether the values of each row sum to (score - base), within `tolerance` of max(1, its size)."""
    rise = score - base
    return ((rise - values.sum(1)).abs() <= tolerance * rise.abs().clamp(min=1)).all(-1)


def _walk(
    way: Smooth, lines: Int[Tensor, " lines"], at: Float[Tensor, " points"]
) -> Float[Tensor, "lines points features outputs"]:
    """Return the shares of features at points of lines.

    Line `i` ends at example `i // len(background)` and starts at row `i % len(background)`.
    """
    pairs = torch.arange(len(lines) * len(at))

    def some(part: Tensor) -> Tensor:
        return _shares(way, lines[part // len(at)], at[part % len(at)])

    size = CELLS // way.x[0].numel()
    return torch.cat(list(in_parts(some, pairs, size))).unflatten(0, (len(lines), len(at)))


def _shares(
    way: Smooth, line: Int[Tensor, " points"], at: Float[Tensor, " points"]
) -> Float[Tensor, "points features outputs"]:
    start = way.background[line % len(way.background)]
    step = way.x[line // len(way.background)] - start
    points = start + at.float().reshape(-1, *[1] * (start.ndim - 1)) * step
    found = slopes(way, points, "IntegratedGradients")
    return torch.stack([way.by_feature(slope.double() * step.flatten(1)) for slope in found], -1)
