"""Which sampled estimator of Shapley values is worth its time."""

from fivefold.explanation.leverage import LeverageSHAP
from fivefold.explanation.odd_kernel.estimator import OddKernelSHAP
from fivefold.perturb import Features

CHEAP = (
    5e-5  # seconds of one model evaluation below which more sets beat a better model of the game
)
MOST_SETS = 4096  # a matrix of pairs is factored: time grows with its cube
FEW = 6  # sets per feature below which kernels of their own are not told apart
MANY = 64  # features beyond which the Gaussian process was not tried


def sampled_shapley(
    n: int, budget: int, seconds: float, features: Features = Features()
) -> LeverageSHAP | OddKernelSHAP:
    """Return the estimator for `n` features.

    Args:
        n: Number of features.
        budget: Sets of features to try.
        seconds: What one set costs for one row: model evaluations for all background rows.
        features: What counts as one feature.
    """
    if seconds < CHEAP or budget > MOST_SETS or n > MANY or budget < 2 * n:
        return LeverageSHAP(budget=budget, features=features)
    return OddKernelSHAP(budget=budget, steps=50 if budget >= FEW * n else 0, features=features)
