"""Attacks on a model and its detector together (Carlini and Wagner, 2017; Bryniarski et al., 2022)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from fivefold.core.data import Batch, as_tensor
from fivefold.core.loss import Forward, Loss, cross_entropy
from fivefold.core.model import HasNet
from fivefold.models.torch import device_of
from fivefold.perturb.gradient_attack import pgd
from fivefold.security.detector import Fitted

WEIGHTS = (0.1, 1.0, 10.0)  # of the score, in thresholds, against the cross-entropy
MARGIN = 0.1  # how far past the boundary, in logits, before only the score matters


class Attempt(NamedTuple):
    """The best that an attacker has for each example.

    `fools` says whether the model is wrong on `x`; `score` is the detector's, infinite where it is not.
    """

    x: Float[Tensor, "batch ..."]
    fools: Bool[Tensor, " batch"]
    score: Float[Tensor, " batch"]

    def or_better(self, other: "Attempt") -> "Attempt":
        """Return, for each example, the one that fools the model with the lower score."""
        wins = other.score < self.score
        shape = (-1, *[1] * (self.x.dim() - 1))
        return Attempt(
            torch.where(wins.view(shape), other.x, self.x),
            self.fools | other.fools,
            torch.where(wins, other.score, self.score),
        )


@dataclass(frozen=True, kw_only=True)
class Attacker:
    """How far and how long an attack may go.

    Attributes:
        eps: Radius in the maximum norm, in units of the schema.
        steps: Gradient steps.
        restarts: Random starts.
    """

    eps: float
    steps: int
    restarts: int = 1

    def static(self, model: HasNet, fitted: Fitted, batch: Batch, rng: Generator) -> Attempt:
        """Return what fools `model`, made without a thought for the detector."""
        return self._attempt(model, fitted, batch, cross_entropy, rng)

    def adaptive(
        self, model: HasNet, fitted: Fitted, batch: Batch, known: Attempt, rng: Generator
    ) -> Attempt:
        """Return what fools `model` with the lowest score that several attacks on both can find.

        Args:
            model: The model.
            fitted: Its detector, open to the attacker.
            batch: What to start from.
            known: Examples to improve on.
            rng: Decides the starts.
        """
        best = known
        for loss in _joint_losses(fitted, model):
            best = best.or_better(self._attempt(model, fitted, batch, loss, rng))
        return best

    def _attempt(
        self, model: HasNet, fitted: Fitted, batch: Batch, loss: Loss, rng: Generator
    ) -> Attempt:
        x = pgd(
            model.net,
            batch.to(device_of(model.net)),
            loss,
            model.schema.space(),
            eps=self.eps,
            steps=self.steps,
            norm="linf",
            rng=rng,
            restarts=self.restarts,
        )
        return judged(model, fitted, Batch(x.cpu(), batch.y))


def judged(model: HasNet, fitted: Fitted, batch: Batch) -> Attempt:
    """Return `batch` as an attempt, with the model's and the detector's own word on it."""
    fools = model.predict(batch.x).argmax(1) != batch.y
    score = fitted.score(model, batch.x).masked_fill(~fools, torch.inf)
    return Attempt(as_tensor(batch.x), fools, score)


def _joint_losses(fitted: Fitted, model: HasNet) -> Iterator[Loss]:
    suspicion = fitted.differentiable(model)
    unit = max(fitted.threshold, 1e-12)
    for weight in WEIGHTS:
        yield weighted(suspicion, weight / unit)
    yield selective(suspicion, unit)


def weighted(suspicion: Forward, weight: float) -> Loss:
    """Be wrong and be usual at once, by a weighted sum."""

    def loss(forward: Forward, batch: Batch) -> Float[Tensor, " batch"]:
        wrong = cross_entropy(forward, batch)
        return wrong - weight * suspicion(batch.x).to(wrong)

    return loss


def selective(suspicion: Forward, unit: float) -> Loss:
    """Be wrong first; once wrong by a margin, only be usual. The two never pull against each other.

    Every point that is wrong by the margin counts for more than every point that is not.
    """

    def loss(forward: Forward, batch: Batch) -> Float[Tensor, " batch"]:
        lead = lead_of_wrong(forward(batch.x), batch.y)
        usual = 1 / (1 + (suspicion(batch.x).to(lead) / unit).log1p())
        return torch.where(lead < MARGIN, lead, MARGIN + usual)

    return loss


def lead_of_wrong(logits: Float[Tensor, "batch classes"], y: Tensor) -> Float[Tensor, " batch"]:
    """Return the best wrong logit minus the right one; positive means fooled."""
    right = F.one_hot(y, logits.shape[1]).bool()
    return logits.masked_fill(right, -torch.inf).amax(1) - logits[right]
