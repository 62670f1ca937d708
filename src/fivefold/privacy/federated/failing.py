"""How likely a secure round has no sum: of a private run this may not tell who came."""

from math import exp

import numpy as np

from fivefold.core.errors import BadRecipe
from fivefold.privacy.federated.cohorts import STAYS, Cohorts
from fivefold.privacy.federated.private import slack_of
from fivefold.privacy.plan import Plan
from fivefold.privacy.secure_aggregation import SecureAggregation

LARGEST_EPSILON = 100.0


def failing(rule: SecureAggregation, cohorts: Cohorts, n_clients: int) -> float:
    """Return the probability that somebody sends an update in a round and too few do for a sum.

    If nobody sends anything, the sum is zero, as it is without secure aggregation.
    """
    from scipy.stats import binom

    stays = cohorts.rate * (1 - cohorts.dropout)
    leaves = cohorts.rate * cohorts.dropout * (STAYS - 1) / STAYS  # after it has joined
    n_stay = np.arange(1, n_clients + 1)
    least = np.array([rule.least(n) for n in range(n_clients + 1)])
    most_joined = np.searchsorted(least, n_stay, side="right") - 1
    share = leaves / (1 - stays) if stays < 1 else 0.0
    too_many_left = binom.sf(most_joined - n_stay, n_clients - n_stay, share)
    return float((binom.pmf(n_stay, n_clients, stays) * too_many_left).sum())


def check_failing(rule: SecureAggregation, cohorts: Cohorts, plan: Plan, n_clients: int) -> None:
    """Check that rounds without a sum are so rare that they cost no more of delta than is kept for them.

    Whether a round has one depends on how many came. A run that differs from one without failing rounds with
    probability p costs (1 + exp(epsilon)) p in delta.

    Raises:
        BadRecipe: They are not: they would add more than 2^-40, or a thousandth of delta.
    """
    worst = max(failing(rule, cohorts, n) for n in (n_clients - 1, n_clients, n_clients + 1))
    epsilon = plan.epsilon() if worst else 0.0
    cost = plan.steps * worst * (1 + exp(min(epsilon, LARGEST_EPSILON)))
    if cost > slack_of(plan.delta):
        raise BadRecipe(
            "With {n} clients, secure rounds fail with a probability of {p}, and which ones do would tell who came.",
            where="secure",
            mend="Use more clients, a higher rate, a lower threshold or fewer drop-outs.",
            n=n_clients,
            p=worst,
        )
