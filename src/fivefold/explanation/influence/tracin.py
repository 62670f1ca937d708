"""TracIn (Pruthi, Liu, Sundararajan and Kale, 2020): what steps of gradient descent on an example added to a score."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from fivefold.core.data import Batch
from fivefold.core.errors import BadInput
from fivefold.core.limits import Positive
from fivefold.core.model import Model, with_net
from fivefold.core.text import text
from fivefold.explanation.influence.gradients import ROOM, gradients, n_weights
from fivefold.explanation.influence.head import head_of
from fivefold.explanation.influence.influence import Influence
from fivefold.explanation.influence.made import made
from fivefold.explanation.influence.question import Asked, asked
from fivefold.explanation.influence.score import pull, score_slope, unit_of


@dataclass(frozen=True, kw_only=True)
class TracIn:
    """Sum over checkpoints of rate * (gradient of the score) . (minus gradient of the example's loss).

    It is what one step of plain gradient descent on the example alone, at each checkpoint, adds to the
    score, to first order in the rate; exact where the score is linear in the weights. Several models are
    checkpoints of one training, in order; the last one alone sees little of what happened before.

    Attributes:
        rates: Learning rate at each checkpoint, times the visits to each example since the one before,
            over the size of a batch. One number serves for all checkpoints.
        layers: Gradients over all trainable weights, or over the last layer alone, many times quicker.
        reveal: Whether to look at the training rows of a model with a privacy guarantee.
    """

    rates: tuple[Positive, ...] = (1.0,)
    layers: Literal["all", "last"] = "all"
    reveal: bool = False

    def __call__(
        self, model: Model | Sequence[Model], train: Batch, x: Batch, *, rng: Generator
    ) -> Influence:
        """Return the influences; `rng` is not used.

        Raises:
            BadInput: There are as many rates as neither one nor the checkpoints.
            NotMeasurable: The model is a black box.
        """
        question = asked(model, train, x, reveal=self.reveal)
        n = len(question.models)
        if len(self.rates) not in (1, n):
            raise BadInput(
                "{rates} learning rates were given for {n} checkpoints.",
                mend="Give one rate for all, or one for each.",
                rates=len(self.rates),
                n=n,
            )
        rates = self.rates * n if len(self.rates) == 1 else self.rates
        parts = [r * self._at(m, question) for r, m in zip(rates, question.models, strict=True)]
        alone = text("Only one checkpoint was looked at; what examples did before it is not seen.")
        return made(
            question,
            pieces=[torch.stack(parts).sum(0)],
            method=f"TracIn, {self.layers} layers, {n} checkpoints",
            unit=unit_of(question.task),
            limits=(alone,) if n == 1 else (),
        )

    def _at(self, model: Model, question: Asked) -> Float[Tensor, "rows train"]:
        if self.layers == "last":
            return _of_last_layer(model, question)
        pulls = pull(model.predict(question.train.x), question.train.y, question.task)
        return dots(model, question, self) * pulls


def dots(model: Model, question: Asked, wanted_by: object) -> Float[Tensor, "rows train"]:
    """Return the inner products of the gradients of scores, of the rows and of the training examples."""
    net = with_net(model, wanted_by)
    size = max(1, ROOM // n_weights(net, wanted_by))
    found: list[Tensor] = []
    for rows in torch.arange(question.x.size).split(size):
        own = torch.cat(list(gradients(net, question.x.take(rows), wanted_by)))
        parts = [own @ g.T for g in gradients(net, question.train, wanted_by)]
        found.append(torch.cat(parts, 1).double())
    return torch.cat(found)


def _of_last_layer(model: Model, question: Asked) -> Float[Tensor, "rows train"]:
    """Return the same for the last layer, whose gradients are products of two short vectors."""
    head = head_of(model)
    (x, y), (seen, target) = question.x, question.train
    told, learned = head.outputs(x), head.outputs(seen)
    slope = score_slope(told, y, question.task)
    push = score_slope(learned, target, question.task) * pull(learned, target, question.task)[:, None]  # fmt: skip
    return (slope @ push.T) * (head.read(x) @ head.read(seen).T)
