"""First-order attributions: gradient times input (Shrikumar et al., 2016), and SmoothGrad (Smilkov et al., 2017)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from fivefold.core.data import Inputs
from fivefold.core.limits import Count, Positive
from fivefold.core.model import Model, with_net
from fivefold.core.randomness import fresh_seed
from fivefold.explanation.attribution import Attribution, is_sure
from fivefold.explanation.output import output_names, unit
from fivefold.explanation.question import asked
from fivefold.explanation.smooth import Smooth, slopes, smooth
from fivefold.perturb import Features, in_parts

CELLS = 2**20  # values of noisy inputs that exist at one time


@dataclass(frozen=True, kw_only=True)
class InputXGradient:
    """The gradient at the example, times its distance from the mean background row.

    One look at the model per example. Exact for a linear model, and blind to whatever bends: a row counts
    as converged only if its values add up to (score - base).

    Attributes:
        tolerance: Largest |sum of values - (score - base)|, as a share of the row's attributions.
        features: What counts as one feature.
    """

    tolerance: Positive = 0.1
    features: Features = Features()

    def evaluations(self, n: int, rows: int, background: int) -> int:
        """Return how many inputs the model will answer."""
        return 2 * rows + background

    def __call__(
        self, model: Model, x: Inputs, background: Inputs, *, rng: Generator
    ) -> Attribution:
        """Return the values for each output; `rng` is not used.

        Raises:
            NotMeasurable: The model has no network, or categories or gaps that no layer prepares.
        """
        model = with_net(model, self)
        question = asked(model, x, background, self.features)
        way = smooth(model, question)
        rows = torch.arange(len(way.x))
        size = CELLS // way.x[0].numel()
        values = torch.cat(list(in_parts(lambda part: _first_order(way, part), rows, size)))
        base = way.empty.mean(0).expand_as(way.full)
        gap = way.full - base - values.sum(1)
        return Attribution(
            values=values,
            base=base,
            score=way.full,
            error=None,
            is_converged=is_sure(values, gap[:, None], self.tolerance),
            groups=question.groups,
            outputs=output_names(model.task),
            method="InputXGradient",
            unit=unit(model.task),
            n_evaluations=2 * len(way.x) + len(way.background),
        )


@dataclass(frozen=True, kw_only=True)
class SmoothGrad:
    """The gradient averaged over noisy copies of the example, times its distance from the mean background row.

    Noise comes in pairs of opposite signs and moves only what the schema lets move. The values need not
    add up to (score - base); a row counts as converged if its standard errors are small.

    Attributes:
        samples: Noisy copies of each example.
        noise: Standard deviation of the noise, in units of the schema.
        tolerance: A row is converged if the error is at most this share of its attributions.
        features: What counts as one feature.
    """

    samples: Count = 50
    noise: Positive = 0.1
    tolerance: Positive = 0.1
    features: Features = Features()

    def evaluations(self, n: int, rows: int, background: int) -> int:
        """Return how many inputs the model will answer."""
        return (1 + 2 * self._pairs) * rows + background

    def __call__(
        self, model: Model, x: Inputs, background: Inputs, *, rng: Generator
    ) -> Attribution:
        """Return the values for each output with their standard errors.

        Raises:
            NotMeasurable: The model has no network, or categories or gaps that no layer prepares.
        """
        model = with_net(model, self)
        question = asked(model, x, background, self.features)
        way = smooth(model, question)
        values, error = self._averaged(way, fresh_seed(rng))
        return Attribution(
            values=values,
            base=way.empty.mean(0).expand_as(way.full),
            score=way.full,
            error=error,
            is_converged=is_sure(values, error, self.tolerance),
            groups=question.groups,
            outputs=output_names(model.task),
            method="SmoothGrad",
            unit=unit(model.task),
            n_evaluations=(1 + 2 * self._pairs) * len(way.x) + len(way.background),
        )

    @property
    def _pairs(self) -> int:
        return max(2, self.samples // 2)

    def _averaged(self, way: Smooth, seed: int) -> tuple[Tensor, Tensor]:
        """Return means and standard errors over pairs; every example has its own noise, whatever the parts."""
        spread = (self.noise * way.unit).reshape(way.x.shape[1:])

        def noisy(rows: Tensor) -> tuple[Tensor, Tensor]:
            own = [Generator().manual_seed(seed + int(row)) for row in rows]
            size = (self._pairs, *way.x.shape[1:])
            noise = torch.stack([torch.randn(size, generator=rng) for rng in own]) * spread
            return self._of(way, rows, noise)

        size = CELLS // (2 * self._pairs * way.x[0].numel())
        found = list(in_parts(noisy, torch.arange(len(way.x)), size))
        return torch.cat([f[0] for f in found]), torch.cat([f[1] for f in found])

    def _of(
        self, way: Smooth, rows: Tensor, noise: Float[Tensor, "rows pairs ..."]
    ) -> tuple[Tensor, Tensor]:
        at = way.x[rows][:, None]
        points = torch.cat([at + noise, at - noise], 1)
        step = (way.x[rows] - way.start).flatten(1)
        means: list[Tensor] = []
        errors: list[Tensor] = []
        for slope in slopes(way, points.flatten(0, 1), "SmoothGrad"):
            both = slope.reshape(len(rows), 2, self._pairs, -1).mean(1) * step[:, None]
            share = way.by_feature(both.flatten(0, 1)).unflatten(0, both.shape[:2])
            means.append(share.mean(1))
            errors.append(share.std(1) / self._pairs**0.5)
        return torch.stack(means, -1), torch.stack(errors, -1)


def _first_order(way: Smooth, rows: Tensor) -> Float[Tensor, "rows features outputs"]:
    step = (way.x[rows] - way.start).flatten(1)
    found = [way.by_feature(s * step) for s in slopes(way, way.x[rows], "InputXGradient")]
    return torch.stack(found, -1)
