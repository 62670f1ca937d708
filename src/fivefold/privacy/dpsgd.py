"""Differentially private training (Abadi et al., 2016; Mironov et al., 2019 for Poisson sampling)."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from annotated_types import Gt, Le
from torch import Generator

from fivefold.core.data import Seen
from fivefold.core.errors import BadInput, BadRecipe
from fivefold.core.limits import Count, Natural, Positive, Probability
from fivefold.core.lineage import Claim
from fivefold.core.loss import loss_of
from fivefold.core.model import Model, with_net
from fivefold.core.randomness import fresh_seed, spawn
from fivefold.core.step import Step
from fivefold.privacy.engine.intact import check_intact
from fivefold.privacy.plan import Plan, least_noise, safe_delta
from fivefold.privacy.secret import secret_generator
from fivefold.training.checkpoint import register
from fivefold.training.fit import fit
from fivefold.training.optimizer import AdamW, Optimizer
from fivefold.training.private.clipping import Automatic, Flat, PerLayer
from fivefold.training.private.engine import Engine, Method

USUAL_EPSILON = 8.0
CLIPPINGS = {"flat": Flat(), "per layer": PerLayer(), "automatic": Automatic()}


@dataclass(frozen=True, kw_only=True)
class DPSGD(Step):
    """Training that bounds what anybody can learn about one training example.

    Batches are Poisson samples, each example's gradient is clipped, and the sum is noised. It reads the
    training split alone: the optimizer sees nothing but noisy gradients, and nothing is stopped early.
    Sampling and noise come from the operating system's secrets, not from the recipe's public seed, so
    two runs differ.

    Attributes:
        epsilon: Privacy to reach; the noise is found for it. None means 8, unless `noise_multiplier` is
            given.
        noise_multiplier: Standard deviation of the noise, in units of `clip_norm`; instead of `epsilon`.
        delta: Probability with which the bound may fail, below 1 / examples. None is the largest power
            of ten that is at most a tenth of that.
        clip_norm: Largest L2 norm of one example's gradient.
        rate: Probability with which each example enters a batch.
        steps: Number of batches.
        clipping: "flat" shortens gradients that are longer than `clip_norm`; "per layer" does so layer by
            layer; "automatic" brings all to nearly that length, so that it needs no tuning. All add the
            same to epsilon.
        method: How gradients of single examples are found: "together" in one pass over the batch, or an
            error where that would be wrong; "alone" for each example by itself, which is slow; "auto" for
            the first where it is right and else the second.
        most: Examples that are run at once; None for the whole batch. It saves memory and changes nothing.
        optimizer: How weights move.
        insecure_seed: Makes sampling and noise repeatable, for tests. Whoever knows it can remove the
            noise, so the privacy probe then reports no guarantee.
    """

    epsilon: Positive | None = None
    noise_multiplier: Positive | None = None
    delta: Probability | None = None
    clip_norm: Positive = 1.0
    rate: Annotated[float, Gt(0), Le(1)] = 0.25
    steps: Count = 100
    clipping: Literal["flat", "per layer", "automatic"] = "flat"
    method: Method = "auto"
    most: Count | None = None
    optimizer: Optimizer = AdamW(lr=1e-2)
    insecure_seed: Natural | None = None

    def __post_init__(self) -> None:
        if self.epsilon is not None and self.noise_multiplier is not None:
            raise ValueError(
                "DPSGD takes epsilon or noise_multiplier, not both: one follows from the other."
            )

    def __call__(self, model: Model, seen: Seen, *, rng: Generator) -> Model:
        """Return the trained model. `rng` is left alone: its seed is public.

        Raises:
            BadInput: A layer mixes the examples of a batch, or training did not change what it should.
        """
        model = with_net(model, self)
        plan, net = self.plan(seen.train.size), deepcopy(model.net)
        noise, sampling = self._sources()
        gradient = replace(
            plan.gradient(seen.train.size, noise),
            clipping=CLIPPINGS[self.clipping],
            engine=Engine(method=self.method, most=self.most),
        )
        batches = plan.batches(seen.train, sampling)
        fit(net, batches, loss_of(model.task), gradient=gradient, optimizer=self.optimizer)
        check_intact(model.net, net, seen.train.x)
        return model.with_net(net)

    def claim(self, n_examples: int) -> Claim:
        """Return the mechanism through which the training split is read."""
        seeded = self.insecure_seed is not None
        return Claim(privacy=self.plan(n_examples).record(seeded=seeded))

    def plan(self, n_examples: int) -> Plan:
        """Return what is sampled, clipped, noised and paid for with `n_examples` training examples.

        Raises:
            BadInput: There are none.
            BadRecipe: `delta` is too large for so few, or no noise reaches `epsilon`.
        """
        delta = self._delta(n_examples)
        noise = self.noise_multiplier
        if noise is None:
            noise = least_noise(self.epsilon or USUAL_EPSILON, self.rate, self.steps, delta)
        return Plan(
            rate=self.rate,
            steps=self.steps,
            clip_norm=self.clip_norm,
            noise_multiplier=noise,
            delta=delta,
        )

    def _delta(self, n_examples: int) -> float:
        if n_examples < 1:
            raise BadInput(
                "There are no training examples.", mend="Add rows to the training split."
            )
        if self.delta is None:
            return safe_delta(n_examples)
        if self.delta * n_examples >= 1:
            raise BadRecipe(
                "delta = {delta} would allow one of {n} examples to be published in full.",
                where="delta",
                mend="Use at most {most}, or leave it out.",
                delta=self.delta,
                n=n_examples,
                most=safe_delta(n_examples),
            )
        return self.delta

    def _sources(self) -> tuple[Generator, Callable[[], Generator]]:
        """Return the source of the noise, and what makes a source of samples for each reading.

        Secret ones are never kept on disk: after an interruption the remaining steps draw anew.
        """
        if self.insecure_seed is None:
            return secret_generator(), secret_generator
        seeds = Generator().manual_seed(self.insecure_seed)
        noise, seed = spawn(seeds), fresh_seed(seeds)
        return register(noise), lambda: Generator().manual_seed(seed)
