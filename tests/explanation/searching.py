"""Counterfactual searches that no clock ends, so that a busy machine changes nothing."""

from typing import Any

from torch import Tensor

from fivefold.core.model import Model
from fivefold.explanation import Counterfactual, Counterfactuals
from fivefold.explanation.counterfactual.goal import Want
from seeding import seeded

FOREVER = 1e9


def found_for(
    model: Model,
    x: Tensor,
    background: Tensor,
    want: Want = None,
    *,
    seed: int = 0,
    **settings: Any,
) -> Counterfactuals:
    """Return counterfactuals, without a limit of time."""
    given: dict[str, Any] = {"seconds": FOREVER, "budget": 1500, **settings}
    method = Counterfactual(**given)
    return method(model, x, background, want, rng=seeded(seed))
