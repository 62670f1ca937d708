"""Explainers that do not deserve trust."""

from dataclasses import dataclass, replace

import torch

from fivefold.explanation import Attribution, ExactShapley, LeverageSHAP


@dataclass(frozen=True, kw_only=True)
class Guesses:
    """Gives the right numbers to the wrong features."""

    def __call__(self, model, x, background, *, rng) -> Attribution:
        found = ExactShapley()(model, x, background, rng=rng)
        order = torch.rand(found.values.shape[:2], generator=rng).argsort(1)
        return replace(
            found, values=found.values.gather(1, order[..., None].expand_as(found.values))
        )


@dataclass(frozen=True, kw_only=True)
class Edges:
    """Shows the input, whatever the model is: large values are called important."""

    def __call__(self, model, x, background, *, rng) -> Attribution:
        found = LeverageSHAP(budget=64, draws=1)(model, x, background, rng=rng)
        sums = torch.zeros(len(x), found.groups.n, dtype=torch.float64)
        sums.index_add_(1, found.groups.member, x.flatten(1).double())
        return replace(found, values=sums[..., None].expand_as(found.values))


@dataclass(frozen=True, kw_only=True)
class Doubled:
    """Twice the right values: the order is right, the sizes are not."""

    def __call__(self, model, x, background, *, rng) -> Attribution:
        found = ExactShapley()(model, x, background, rng=rng)
        return replace(found, values=2 * found.values)
