"""Differentially private training (Abadi et al., 2016; Mironov et al., 2019 for Poisson sampling)."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, NamedTuple

from annotated_types import Gt, Le
from torch import Generator

from fivefold.core.data import Draws, Seen
from fivefold.core.limits import Count, Natural, Positive, Probability
from fivefold.core.lineage import Claim
from fivefold.core.loss import loss_of
from fivefold.core.model import Model, with_net
from fivefold.core.randomness import drawing_from, fresh_seed, spawn
from fivefold.core.schema import Schema
from fivefold.core.step import Step
from fivefold.privacy.engine import users
from fivefold.privacy.engine.adaptive import AdaptiveClipping
from fivefold.privacy.engine.intact import check_intact
from fivefold.privacy.engine.views import Change, change_of
from fivefold.privacy.ledger import Ledger, begin
from fivefold.privacy.plan import Plan, checked_delta, least_noise
from fivefold.privacy.secret import secret_generator
from fivefold.training.average import Ema
from fivefold.training.checkpoint import register
from fivefold.training.fit import fit
from fivefold.training.optimizer import AdamW, Optimizer
from fivefold.training.private.clipping import Automatic, Flat, PerLayer
from fivefold.training.private.engine import Engine, Method
from fivefold.training.private_gradient import ClippedNoisy

USUAL_EPSILON = 8.0
CLIPPINGS = {"flat": Flat(), "per layer": PerLayer(), "automatic": Automatic()}


class Sources(NamedTuple):
    """Where the noise, the views, what layers draw and, for each reading, the samples come from."""

    noise: Generator
    views: Generator
    layers: Generator
    samples: Callable[[], Generator]


@dataclass(frozen=True, kw_only=True)
class DPSGD(Step):
    """Training that bounds what anybody can learn about one training example, or about one user.

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
        clip_norm: Largest L2 norm of one example's gradient; the first one, if it adapts.
        rate: Probability with which each example enters a batch.
        steps: Number of batches.
        clipping: "flat" shortens gradients that are longer than `clip_norm`; "per layer" does so layer by
            layer; "automatic" brings all to nearly that length, so that it needs no tuning; an
            `AdaptiveClipping` finds the length while it trains. All add the same to epsilon.
        method: How gradients of single examples are found: "together" in one pass over the batch, or an
            error where that would be wrong; "alone" for each example by itself, which is slow; "auto" for
            the first where it is right and else the second.
        most: Examples that are run at once; None for the whole batch. It saves memory and changes nothing.
        views: Random views of each example, whose mean gradient is clipped; 1 for the example as it is.
        change: What such a view is: `ShiftAndFlip` or `Jitter`. None shifts images a little, and other
            inputs then have no views.
        average: Decay per batch of a moving average of the weights, which is then the result; None for
            the last weights.
        user: Column (or tensor of a mapping of inputs) that says whose each example is. Then users are
            sampled at `rate`, the mean gradient of a user is clipped, and users are what is protected.
            The model sees that column too. None protects examples.
        per_user: Examples of each user in a batch, drawn at random among its own.
        optimizer: How weights move.
        insecure_seed: Makes sampling and noise repeatable, for tests. Whoever knows it can remove the
            noise, so the privacy probe then reports no guarantee.
        ledger: Where the run is counted before it reads a row, and what all runs may spend together; None
            counts it nowhere.
    """

    epsilon: Positive | None = None
    noise_multiplier: Positive | None = None
    delta: Probability | None = None
    clip_norm: Positive = 1.0
    rate: Annotated[float, Gt(0), Le(1)] = 0.25
    steps: Count = 100
    clipping: Literal["flat", "per layer", "automatic"] | AdaptiveClipping = "flat"
    method: Method = "auto"
    most: Count | None = None
    views: Count = 1
    change: Change | None = None
    average: Probability | None = None
    user: str | None = None
    per_user: Count = 1
    optimizer: Optimizer = AdamW(lr=1e-2)
    insecure_seed: Natural | None = None
    ledger: Ledger | None = None

    def __post_init__(self) -> None:
        if self.epsilon is not None and self.noise_multiplier is not None:
            raise ValueError(
                "DPSGD takes epsilon or noise_multiplier, not both: one follows from the other."
            )
        if self.change is not None and self.views == 1:
            raise ValueError("With change, DPSGD needs more than one of its views.")
        if self.user is None and self.per_user > 1:
            raise ValueError("With per_user, DPSGD needs to know the column of the user.")

    def __call__(self, model: Model, seen: Seen, *, rng: Generator) -> Model:
        """Return the trained model. `rng` is left alone: its seed is public.

        Raises:
            BadInput: A layer mixes the examples of a batch, training did not change what it should, or
                examples have no such views or users.
            LimitReached: The ledger has too little left.
        """
        model = with_net(model, self)
        begin(self.ledger, self.claim(seen.train.size), seen.train)
        net, sources = deepcopy(model.net), self._sources()
        batches, n_units = self._batches(seen, model.schema, sources)
        gradient = self._gradient(seen.train.size, n_units, model.schema, sources)
        with drawing_from(sources.layers):  # who knew a dropout mask would see rows move up
            fit(
                net,
                batches,
                loss_of(model.task),
                gradient=gradient,
                optimizer=self.optimizer,
                average=None if self.average is None else Ema(decay=self.average),
            )
        check_intact(model.net, net, seen.train.x)
        return model.with_net(net)

    def claim(self, n_examples: int) -> Claim:
        """Return the mechanism through which the training split is read."""
        plan = self.plan(n_examples)
        told: Mapping[str, Any] = plan.record(seeded=self.insecure_seed is not None)
        if isinstance(self.clipping, AdaptiveClipping):
            told = {**told, **self.clipping.record(plan.noise_multiplier)}
        if self.user is not None:
            told = {**told, "unit": users.UNIT, "owners": f"column {self.user}"}
        return Claim(privacy=told)

    def plan(self, n_examples: int) -> Plan:
        """Return what is sampled, clipped, noised and paid for with `n_examples` training examples.

        Raises:
            BadInput: There are none.
            BadRecipe: `delta` is too large for so few, or no noise reaches `epsilon`.
        """
        delta = checked_delta(self.delta, n_examples)
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

    def _batches(self, seen: Seen, schema: Schema, sources: Sources) -> tuple[Draws, int]:
        """Return the batches, and among how many examples or users they choose."""
        plan = self.plan(seen.train.size)
        if self.user is None:
            return plan.batches(seen.train, sources.samples), seen.train.size
        known = users.users_of(seen.train, schema, self.user)
        draws = users.user_batches(plan, seen.train, known, self.per_user, sources.samples)
        return draws, known.n

    def _gradient(
        self, n_examples: int, n_units: int, schema: Schema, sources: Sources
    ) -> ClippedNoisy:
        plan = self.plan(n_examples)
        rule = replace(
            plan.gradient(n_units, sources.noise),
            engine=Engine(method=self.method, most=self.most),
        )
        if self.views > 1:
            change = change_of(schema, self.change, sources.views)
            rule = replace(rule, views=self.views, change=change)
        if not isinstance(self.clipping, AdaptiveClipping):
            return replace(rule, clipping=CLIPPINGS[self.clipping])
        total = plan.noise_multiplier
        moving = self.clipping.moving(self.clip_norm, total, rule.expected_size)
        gradient_noise = self.clipping.noise_on_gradient(total)
        return replace(rule, moving=register(moving), noise_multiplier=gradient_noise)

    def _sources(self) -> Sources:
        """Return the sources of randomness.

        Secret ones are never kept on disk: after an interruption the remaining steps draw anew.
        """
        if self.insecure_seed is None:
            noise, views, layers = (secret_generator() for _ in range(3))
            return Sources(noise, views, layers, secret_generator)
        seeds = Generator().manual_seed(self.insecure_seed)
        noise, seed, views = spawn(seeds), fresh_seed(seeds), spawn(seeds)

        def samples() -> Generator:
            return Generator().manual_seed(seed)

        return Sources(register(noise), register(views), spawn(seeds), samples)
