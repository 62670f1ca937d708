"""Differentially private federated averaging (McMahan et al., 2018): one client, with all of its rows, is hidden."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from fivefold.core.errors import BadInput, BadRecipe
from fivefold.core.limits import Natural, Positive, Probability
from fivefold.core.randomness import spawn
from fivefold.privacy.ledger import Ledger
from fivefold.privacy.plan import Plan, least_noise, safe_delta
from fivefold.privacy.secret import secret_generator
from fivefold.training.private.noise import noised

UNIT = "client"
USUAL_EPSILON = 8.0
NEGLIGIBLE = 2.0**-40
SMALL_SHARE = 1e-3
INSIDE = 1 - 1e-6  # rounding must not leave an update longer than its bound


@dataclass(frozen=True, kw_only=True)
class ClientPrivacy:
    """A bound on what anybody can learn about whether one client took part, by adding or removing it.

    Each client's update is clipped, their sum is noised and divided by the expected number of clients, and
    clients are Poisson samples. Who knows the server's weights of every round is covered; the server is
    not: it sees single updates, or with secure aggregation their sum before the noise. The unit is a client with all of its rows: a change of some rows replaces one
    client by another, which costs more. How many clients there are is taken as known.

    Attributes:
        epsilon: Privacy to reach; the noise is found for it. None means 8, unless `noise_multiplier` is
            given.
        noise_multiplier: Standard deviation of the noise, in units of `clip_norm`; instead of `epsilon`.
        delta: Probability with which the bound may fail, below 1 / clients. None is the largest power of
            ten that is at most a tenth of 1 / examples, because there may be as many clients as examples.
        clip_norm: Largest L2 norm of one client's update.
        insecure_seed: Makes sampling and noise repeatable, for tests. Whoever knows it can remove the
            noise.
        ledger: Where private runs on this data are counted before they read a row; None for nowhere.
    """

    epsilon: Positive | None = None
    noise_multiplier: Positive | None = None
    delta: Probability | None = None
    clip_norm: Positive = 1.0
    insecure_seed: Natural | None = None
    ledger: Ledger | None = None

    def __post_init__(self) -> None:
        if self.epsilon is not None and self.noise_multiplier is not None:
            raise ValueError(
                "ClientPrivacy takes epsilon or noise_multiplier, not both: one follows from the other."
            )

    def plan(self, rate: float, rounds: int, n_examples: int, *, is_secure: bool = False) -> Plan:
        """Return what is sampled, clipped, noised and paid for.

        Args:
            rate: Probability with which each client enters a round.
            rounds: Number of rounds.
            n_examples: Training examples of all clients.
            is_secure: Whether rounds may fail, so that a little of delta is kept for that.

        Raises:
            BadInput: There are no examples.
            BadRecipe: No noise reaches `epsilon`.
        """
        if n_examples < 1:
            raise BadInput(
                "There are no training examples.", mend="Add rows to the training split."
            )
        delta = self.delta or safe_delta(n_examples)
        noise = self.noise_multiplier
        if noise is None:
            left = delta - slack_of(delta) if is_secure else delta
            noise = least_noise(self.epsilon or USUAL_EPSILON, rate, rounds, left)
        return Plan(
            rate=rate,
            steps=rounds,
            clip_norm=self.clip_norm,
            noise_multiplier=noise,
            delta=delta,
        )

    def record(self, plan: Plan, clients: str, *, is_secure: bool = False) -> Mapping[str, Any]:
        """Return what the lineage keeps: the unit is a client, which no reader may take for an example."""
        told = plan.record(seeded=self.insecure_seed is not None)
        slack = {"slack": slack_of(plan.delta)} if is_secure else {}
        return told | slack | {"unit": UNIT, "owners": clients}

    def sources(self) -> tuple[Generator, Generator]:
        """Return the source of the noise, and of all other draws that the claim rests on."""
        if self.insecure_seed is None:
            return secret_generator(), secret_generator()
        seeds = Generator().manual_seed(self.insecure_seed)
        return spawn(seeds), spawn(seeds)


@dataclass(frozen=True, kw_only=True)
class Noisy:
    """What a private mean needs: the plan that the accountant reads, and the source of its noise."""

    plan: Plan
    noise: Generator


def slack_of(delta: float) -> float:
    """Return what of `delta` secure rounds may spend by failing, which would tell who came."""
    return min(NEGLIGIBLE, SMALL_SHARE * delta)


def check_delta(plan: Plan, n_clients: int) -> None:
    """Check that the plan does not allow one client to be published in full.

    Raises:
        BadRecipe: It does.
    """
    if plan.delta * n_clients >= 1:
        raise BadRecipe(
            "delta = {delta} would allow one of {n} clients to be published in full.",
            where="private.delta",
            mend="Use at most {most}, or leave it out.",
            delta=plan.delta,
            n=n_clients,
            most=safe_delta(n_clients),
        )


def clipped_sum(
    updates: Float[Tensor, "client weight"], clip_norm: float
) -> Float[Tensor, " weight"]:
    """Return the sum of updates, each shortened to `clip_norm`; one that is not finite counts as nothing."""
    finite, factor = _shortening(updates, clip_norm)
    return factor @ finite


def clipped(
    updates: Float[Tensor, "client weight"], clip_norm: float
) -> Float[Tensor, "client weight"]:
    """Return the updates, each shortened to `clip_norm`; one that is not finite becomes nothing."""
    finite, factor = _shortening(updates, clip_norm)
    return factor[:, None] * finite


def _shortening(updates: Tensor, clip_norm: float) -> tuple[Tensor, Tensor]:
    """Return the updates with zeros for those that are not finite, and what each is multiplied with."""
    finite = torch.where(updates.isfinite().all(1, keepdim=True), updates, 0.0)
    norm = torch.linalg.vector_norm(finite, dim=1, dtype=torch.float64)
    factor = (clip_norm * INSIDE / norm.clamp(min=1e-300)).clamp(max=1.0)
    return finite, factor.to(finite.dtype)


def private_mean(
    total: Float[Tensor, " weight"], plan: Plan, n_clients: int, noise: Generator
) -> Float[Tensor, " weight"]:
    """Return the noisy sum over the expected number of clients, which does not depend on who came."""
    return noised(total, plan.noise_multiplier * plan.clip_norm, noise) / (plan.rate * n_clients)
