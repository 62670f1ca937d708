"""The label-only attack (Choquette-Choo et al., 2021): how far a row is from being classified otherwise."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from fivefold.core.errors import NotMeasurable
from fivefold.core.limits import Count, Positive
from fivefold.core.schema import Schema
from fivefold.privacy.attacks.view import Scores, View, parted


@dataclass(frozen=True, kw_only=True)
class LabelOnly:
    """Calls a row a member if the model names its class rightly even under much noise.

    It looks at no probability, so hiding or rounding them does not stop it.

    Attributes:
        levels: Standard deviations of the noise, in units of how much each value varies over the rows.
        n_copies: Noisy copies of each row at each level.
    """

    levels: tuple[Positive, ...] = (0.1, 0.2, 0.4, 0.8, 1.6)
    n_copies: Count = 5

    def __post_init__(self) -> None:
        if not self.levels:
            raise ValueError("LabelOnly needs at least one level of noise.")

    @property
    def name(self) -> str:
        """What it is called in the report."""
        return "label only"

    @property
    def needs_shadows(self) -> bool:
        """It does not."""
        return False

    def scores(self, view: View, rng: Generator) -> Scores:
        """Return the share of noisy copies classified rightly; a row wrong by itself comes last."""
        task, schema = view.model.task, view.model.schema
        if not task.is_classification or not isinstance(view.pool.x, Tensor) or schema.is_text:
            raise NotMeasurable(
                "The label-only attack adds noise to numbers and watches the class; here is no such thing.",
                mend="Use another attack on this model.",
            )
        noise = _unit(view.pool.x, schema)
        score = self._right(view, view.pool.x).double()
        for level in self.levels:
            for _ in range(self.n_copies):
                moved = _moved(view.pool.x, level * noise, schema, rng)
                score += self._right(view, moved).double() / (len(self.levels) * self.n_copies + 1)
        return parted(score, view)

    def _right(self, view: View, x: Tensor) -> Bool[Tensor, " row"]:
        return view.model.predict(x).argmax(-1) == view.pool.y


def _unit(x: Tensor, schema: Schema) -> Tensor:
    """Return how much each value varies; 0 where it must not move.

    Raises:
        NotMeasurable: No value may move.
    """
    if not schema.is_table:
        return x.std() * torch.ones(schema.shape)
    centred = x - x.nanmean(0)
    unit = centred.square().nanmean(0).sqrt().nan_to_num(0.0) * schema.space().can_move
    if not (unit > 0).any():
        raise NotMeasurable(
            "No value of these rows may move, so the label-only attack has no noise to add.",
            mend="Use another attack on this model.",
        )
    return unit


def _moved(x: Tensor, scale: Tensor, schema: Schema, rng: Generator) -> Float[Tensor, "row ..."]:
    """Return noisy copies, inside the ranges that make sense; missing values stay missing."""
    space = schema.space()
    moved = x + scale * torch.randn(x.shape, generator=rng)
    return torch.where(scale > 0, moved.clamp(space.low, space.high), x)
