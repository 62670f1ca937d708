"""TRAK (Park, Georgiev, Ilyas, Leclerc and Madry, 2023): the network as a linear model of its gradients."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from fivefold.core.data import Batch
from fivefold.core.limits import Count, Positive
from fivefold.core.model import HasNet, Model, with_net
from fivefold.core.randomness import spawn
from fivefold.core.text import Text, text
from fivefold.explanation.influence.gradients import gradients, n_weights
from fivefold.explanation.influence.influence import Influence
from fivefold.explanation.influence.made import made
from fivefold.explanation.influence.projection import COPIES, Sketch
from fivefold.explanation.influence.question import Asked, asked
from fivefold.explanation.influence.score import pull, unit_of

MOST = 2**26  # numbers of gradients that are held unprojected
PROJECTED = 4096


@dataclass(frozen=True, kw_only=True)
class TRAK:
    """Influence in the linear model whose inputs are the gradients of the scores, `G` of the examples.

    A row of gradient g gets g (G'G + damping)^-1 G' q, where q is how far each example's answer is from
    its label. Several models trained apart, on all of the data or on random parts, are averaged; their
    spread is the error. A single model is told apart from luck by nothing.

    Attributes:
        dimension: Length of projected gradients. None takes them whole where they fit into memory, which
            is the formula without the error of projecting, and else 4096.
        damping: Added to G'G, as a multiple of its mean eigenvalue. Networks seldom end at a minimum, so
            much is needed: with little, values foretell far worse what training anew would do.
        reveal: Whether to look at the training rows of a model with a privacy guarantee.
    """

    dimension: Count | None = None
    damping: Positive = 10.0
    reveal: bool = False

    def __post_init__(self) -> None:
        if self.dimension is not None and self.dimension < COPIES:
            raise ValueError(f"TRAK needs a dimension of at least {COPIES}.")

    def __call__(
        self, model: Model | Sequence[Model], train: Batch, x: Batch, *, rng: Generator
    ) -> Influence:
        """Return the influences.

        Raises:
            NotMeasurable: The model is a black box.
        """
        question = asked(model, train, x, reveal=self.reveal)
        nets = [with_net(m, self) for m in question.models]
        sizes = [self._dimension(n_weights(net, self), train.size + x.size) for net in nets]
        pieces = [
            self._at(net, question, size, spawn(rng)) for net, size in zip(nets, sizes, strict=True)
        ]
        projected = "whole gradients" if not any(sizes) else f"projected to {max(sizes)}"
        return made(
            question,
            pieces=pieces,
            method=f"TRAK, {projected}, damping {self.damping:g}, {len(nets)} models",
            unit=unit_of(question.task, is_relative=question.task.is_classification),
            limits=_limits(len(nets)),
        )

    def _dimension(self, n_weights: int, n_rows: int) -> int:
        """Return what to project to; 0 for not at all."""
        fits = n_weights * n_rows <= MOST
        wanted = self.dimension or (n_weights if fits else PROJECTED)
        return 0 if wanted >= n_weights else wanted

    def _at(
        self, net: HasNet, question: Asked, dimension: int, rng: Generator
    ) -> Float[Tensor, "rows train"]:
        sketch = Sketch(n_weights(net, self), dimension, rng) if dimension else None

        def features(data: Batch) -> Tensor:
            parts = gradients(net, data, self)
            return torch.cat([g if sketch is None else sketch(g) for g in parts])

        pulls = pull(net.predict(question.train.x), question.train.y, question.task)
        if not question.task.is_classification:
            pulls = pulls / 2  # squared error bends twice as much as G'G says
        return kernel(features(question.x), features(question.train), self.damping) * pulls


def kernel(
    rows: Float[Tensor, "rows n"], train: Float[Tensor, "train n"], damping: float
) -> Float[Tensor, "rows train"]:
    """Return rows (G'G + d)^-1 G', solved among examples or among numbers, whichever are fewer."""
    n_train, n = train.shape
    is_dual = n_train <= n
    gram = (train @ train.T if is_dual else train.T @ train).double()
    level = damping * gram.diagonal().sum() / min(n_train, n)
    factor = torch.linalg.cholesky(gram + level.clamp(min=1e-12) * torch.eye(len(gram)).double())
    if is_dual:
        return torch.cholesky_solve((train @ rows.T).double(), factor).T
    return torch.cholesky_solve(rows.T.double(), factor).T @ train.T.double()


def _limits(n_models: int) -> tuple[Text, ...]:
    if n_models > 1:
        return ()
    return (text("One model was looked at; its values change with the seed of training by an amount that only several models tell."),)  # fmt: skip
