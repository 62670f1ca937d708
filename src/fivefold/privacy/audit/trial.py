"""A private training run with canaries in it, through the code that trains models, and what it let out."""

from dataclasses import replace
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from fivefold.core.data import Batch, Inputs, Seen
from fivefold.core.errors import BadInput
from fivefold.core.loss import loss_of
from fivefold.core.model import HasNet
from fivefold.core.randomness import fresh_seed
from fivefold.privacy.audit.canary import BLANK, REAL, marked
from fivefold.privacy.audit.one_run import coins
from fivefold.privacy.audit.plant import PLANTING, Kind, Soil
from fivefold.privacy.audit.scores import changes, likelihood
from fivefold.privacy.audit.watched import Watched
from fivefold.privacy.dpsgd import DPSGD
from fivefold.privacy.plan import Plan


class Trial(NamedTuple):
    """What an attacker has after one run, and the coins that he wants to know.

    Attributes:
        seen: What each step's noisy sum says of each canary, in units of its own gradient.
        inside: Which canaries were included.
        plan: What was promised.
    """

    seen: Float[Tensor, "step canary"]
    inside: Bool[Tensor, " canary"]
    plan: Plan

    def scores(self) -> list[Float[Tensor, " canary"]]:
        """Return how much each canary looks included, in two ways."""
        given = (self.seen, self.plan.clip_norm, self.plan.rate)
        return [likelihood(*given), changes(*given)]


def shortened(step: DPSGD, plan: Plan, most: int) -> DPSGD:
    """Return `step` with the noise and delta of `plan`, and at most `most` steps, counted nowhere."""
    return replace(
        step,
        epsilon=None,
        noise_multiplier=plan.noise_multiplier,
        delta=plan.delta,
        steps=min(step.steps, most),
        ledger=None,
    )


def trial(step: DPSGD, model: HasNet, rows: Batch, kind: Kind, most: int, rng: Generator) -> Trial:
    """Train a copy of `model` on `rows` and canaries, of which coins say who is left out.

    A canary that is left out stays as a row without a gradient, so that the size of the data, which is
    public, says nothing of the coins.

    Args:
        step: Private training whose noise and delta are given.
        model: Where training starts. It is left as it is.
        rows: Real rows.
        kind: Where canaries are planted.
        most: Most canaries.
        rng: Source of canaries and coins, and of the noise: nobody else is shown this run.

    Raises:
        BadInput: Training failed before it released anything.
    """
    soil = Soil(model.net, rows, loss_of(model.task), most, step.clip_norm)
    made = PLANTING[kind](soil, rng)
    inside = coins(made.size, rng)
    marks = torch.where(inside, torch.arange(made.size), torch.full((made.size,), BLANK))
    data = _together(rows, made.x, marks)
    plan = step.plan(data.size)
    watched = Watched(inner=step.optimizer, reading=made.reading)
    run = replace(step, optimizer=watched, insecure_seed=fresh_seed(rng))
    try:
        run(model.with_net(made.net), Seen(data, data.take(slice(0, 0))), rng=rng)
    except BadInput:
        if not watched.told:
            raise  # what broke later had been released before
    seen = torch.stack(watched.told) * plan.rate * data.size
    return Trial(seen[seen.isfinite().all(1)], inside, plan)


def _together(rows: Batch, canaries: Inputs, marks: Int[Tensor, " canary"]) -> Batch:
    """Return real rows and canaries as one training set; a canary's target is the class 0, or 1."""
    real = torch.full((rows.size,), REAL)
    a, b = marked(rows.x, real), marked(canaries, marks)
    x = {k: torch.cat([a[k], b[k].to(a[k])]) for k in a}
    target = rows.y.new_full((len(marks),), 1 if rows.y.is_floating_point() else 0)
    return Batch(x, torch.cat([rows.y, target]))
