"""Private training on a stream, without sampling (Kairouz et al., 2021; McMahan et al., 2024)."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Le
from torch import Generator, Tensor

from fivefold.core.data import Batch, Draws, Seen
from fivefold.core.limits import Count, Natural, Positive, Probability
from fivefold.core.lineage import Claim
from fivefold.core.loss import loss_of
from fivefold.core.model import Model, with_net
from fivefold.core.randomness import spawn
from fivefold.core.step import Step
from fivefold.privacy.engine.intact import check_intact
from fivefold.privacy.ledger import Ledger, begin
from fivefold.privacy.plan import checked_delta, least_noise
from fivefold.privacy.secret import secret_generator
from fivefold.privacy.stream.fitting import Error, fitted
from fivefold.privacy.stream.gradient import CorrelatedNoisy
from fivefold.privacy.stream.noise import CorrelatedNoise
from fivefold.privacy.stream.plan import StreamPlan, sensitivity_of
from fivefold.privacy.stream.sensitivity import Participation
from fivefold.training.checkpoint import register
from fivefold.training.fit import fit
from fivefold.training.optimizer import SGD, Optimizer
from fivefold.training.private.clipping import Automatic, Flat, PerLayer
from fivefold.training.private.engine import Engine, Method
from fivefold.training.private_gradient import ClippedNoisy

USUAL_EPSILON = 8.0
CLIPPINGS = {"flat": Flat(), "per layer": PerLayer(), "automatic": Automatic()}


@dataclass(frozen=True, kw_only=True)
class DPFTRL(Step):
    """Training on a stream that bounds what anybody can learn about one training example.

    It reads the training split in the order that it has, clips each example's gradient, and adds noise that
    is correlated over the batches, so that sums of gradients hold far less of it than of independent noise.
    Nothing is sampled, so nothing is amplified: the bound holds for data that comes in an order that nobody
    chose. It hides whether an example counts or its gradients are zero, all others staying where they are.
    The noise comes from the operating system's secrets, so two runs differ.

    A run that was interrupted goes on with fresh noise, which is as private and less exact.

    Attributes:
        epsilon: Privacy to reach; the noise is found for it. None means 8, unless `noise_multiplier` is
            given.
        noise_multiplier: Standard deviation of the noise, in units of what one example can add to the
            whole run; instead of `epsilon`.
        delta: Probability with which the bound may fail, below 1 / examples. None is the largest power
            of ten that is at most a tenth of that.
        clip_norm: Largest L2 norm of one example's gradient.
        size: Examples per batch, in their order.
        passes: How often the whole split is read, each time in the same order.
        buffers: How many vectors as long as all weights remember past noise. Three are enough for ten
            thousand batches.
        error: What the noise is correlated for: the error of sums of gradients by root "mean" square over
            the run, or at its worst ("max").
        clipping: "flat" shortens gradients that are longer than `clip_norm`; "per layer" does so layer by
            layer; "automatic" brings all to nearly that length, so that it needs no tuning. All add the
            same to epsilon.
        method: How gradients of single examples are found: "together" in one pass over the batch, or an
            error where that would be wrong; "alone" for each example by itself, which is slow; "auto" for
            the first where it is right and else the second.
        most: Examples that are run at once; None for the whole batch. It saves memory and changes nothing.
        optimizer: How weights move. Noise is taken away again best where they move along sums of gradients.
        insecure_seed: Makes the noise repeatable, for tests. Whoever knows it can remove the noise, so the
            privacy probe then reports no guarantee.
        ledger: Where the run is counted before it reads a row, and what all runs may spend together; None
            counts it nowhere.
    """

    epsilon: Positive | None = None
    noise_multiplier: Positive | None = None
    delta: Probability | None = None
    clip_norm: Positive = 1.0
    size: Count = 16
    passes: Count = 1
    buffers: Annotated[int, Ge(1), Le(4)] = 3
    error: Error = "mean"
    clipping: Literal["flat", "per layer", "automatic"] = "flat"
    method: Method = "auto"
    most: Count | None = None
    optimizer: Optimizer = SGD(lr=0.1)
    insecure_seed: Natural | None = None
    ledger: Ledger | None = None

    def __post_init__(self) -> None:
        if self.epsilon is not None and self.noise_multiplier is not None:
            raise ValueError(
                "DPFTRL takes epsilon or noise_multiplier, not both: one follows from the other."
            )

    def __call__(self, model: Model, seen: Seen, *, rng: Generator) -> Model:
        """Return the trained model. `rng` is left alone: nothing is drawn from a public seed.

        Raises:
            BadInput: A layer mixes the examples of a batch, or training did not change what it should.
            LimitReached: The ledger has too little left.
        """
        model = with_net(model, self)
        begin(self.ledger, self.claim(seen.train.size), seen.train)
        plan, net = self.plan(seen.train.size), deepcopy(model.net)
        batches = in_order(seen.train, self.size, self.passes)
        assert len(batches) == plan.batches
        gradient, loss = self._gradient(plan), loss_of(model.task)
        fit(net, batches, loss, gradient=gradient, optimizer=self.optimizer)
        check_intact(model.net, net, seen.train.x)
        return model.with_net(net)

    def claim(self, n_examples: int) -> Claim:
        """Return the mechanism through which the training split is read."""
        seeded = self.insecure_seed is not None
        return Claim(privacy=self.plan(n_examples).record(seeded=seeded))

    def plan(self, n_examples: int) -> StreamPlan:
        """Return what is read, clipped, noised and paid for with `n_examples` training examples.

        Raises:
            BadInput: There are none.
            BadRecipe: `delta` is too large for so few, or no noise reaches `epsilon`.
        """
        delta = checked_delta(self.delta, n_examples)
        noise = self.noise_multiplier or least_noise(self.epsilon or USUAL_EPSILON, 1.0, 1, delta)
        per_pass = -(-n_examples // self.size)
        taking = Participation(per_pass * self.passes, per_pass, self.passes)
        strategy = fitted(taking, self.buffers, self.error)
        return StreamPlan(
            batches=taking.n,
            separation=taking.separation,
            turns=taking.most,
            clip_norm=self.clip_norm,
            deviation=noise * sensitivity_of(strategy, taking),
            decays=strategy.decays,
            weights=strategy.weights,
            delta=delta,
        )

    def _gradient(self, plan: StreamPlan) -> CorrelatedNoisy:
        """Return the gradient rule that adds the noise that was paid for, to be used for one run."""
        source = self._source()
        clipped = ClippedNoisy(
            clip_norm=plan.clip_norm,
            noise_multiplier=0.0,
            expected_size=1.0,
            noise=source,
            clipping=CLIPPINGS[self.clipping],
            engine=Engine(method=self.method, most=self.most),
        )
        return CorrelatedNoisy(
            clipped=clipped,
            noise=CorrelatedNoise(plan.strategy, source, plan.batches),
            deviation=plan.deviation * plan.clip_norm,
            size=self.size,
        )

    def _source(self) -> Generator:
        """Return the source of the noise; a secret one is never kept on disk."""
        if self.insecure_seed is None:
            return secret_generator()
        return register(spawn(Generator().manual_seed(self.insecure_seed)))


def in_order(data: Batch, size: int, passes: int) -> Draws:
    """Return batches of `size` in which all examples come in their order, `passes` times over."""

    def rows(rng: Generator) -> Iterator[Tensor]:
        del rng  # the order is given
        for _ in range(passes):
            yield from torch.arange(data.size).split(size)

    return Draws(data, rows, passes * -(-data.size // size), 0)
