"""One call for interactions that says which method it took and why."""

from dataclasses import replace

from torch import Generator

from fivefold.core.data import Inputs
from fivefold.core.limits import Count
from fivefold.core.model import Model
from fivefold.core.text import text
from fivefold.explanation.interactions.exact import ExactInteractions
from fivefold.explanation.interactions.result import Interactions
from fivefold.explanation.interactions.sampled import SampledInteractions
from fivefold.explanation.question import AS_IT_IS, groups_of
from fivefold.explanation.removal import Removal
from fivefold.perturb import Features

FEW = 12  # features that are listed in full


def interactions(
    model: Model,
    x: Inputs,
    background: Inputs,
    *,
    rng: Generator,
    budget: Count | None = None,
    features: Features = Features(),
    removal: Removal = AS_IT_IS,
) -> Interactions:
    """Return how features act together: Shapley interactions of order two (2-SII) that add up to the score.

    Args:
        model: Any model of tables, images or texts.
        x: The examples to explain; one text at a time.
        background: Ordinary rows that stand for "not known". Words of a text are left out instead.
        rng: Source of the sets, where they are sampled.
        budget: Most sets of features tried; all of them is exact. By default all of up to 12 features,
            and else 1024, or 8 for each feature if that is more (at most 4096).
        features: What counts as one feature.
        removal: How a hidden feature is replaced.
    """
    n = groups_of(model.schema, x, features).n
    if n <= FEW and (budget is None or budget >= 2**n):
        exact = ExactInteractions(features=features, removal=removal)
        reason = text("All {sets} sets of {n} features are few enough to list.", sets=2**n, n=n)
        return replace(exact(model, x, background, rng=rng), reason=reason)
    chosen = budget or min(max(1024, 8 * n), 4096)
    sampled = SampledInteractions(budget=chosen, features=features, removal=removal)
    reason = text("{budget} sampled sets of {n} features, which are too many to list.", budget=chosen, n=n)  # fmt: skip
    return replace(sampled(model, x, background, rng=rng), reason=reason)
