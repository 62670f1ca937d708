"""The plainest answers to which examples mattered: those that look alike to the model, and any at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from fivefold.core.data import Batch, Inputs, as_tensor
from fivefold.core.errors import no_text
from fivefold.core.model import Embeds, Model
from fivefold.core.schema import Schema
from fivefold.core.text import text
from fivefold.explanation.influence.head import head_of
from fivefold.explanation.influence.influence import Influence
from fivefold.explanation.influence.made import made
from fivefold.explanation.influence.question import Asked, asked
from fivefold.models.prepare import PrepareTable


@dataclass(frozen=True, kw_only=True)
class NearestExamples:
    """Cosine between the row and the example, less the mean; negative for examples that say something else.

    For classes the sign is whether the example's label is the class asked about; for numbers the cosine
    is multiplied by the example's target, less the mean. No influence is estimated: it is what any
    estimate must beat.

    Attributes:
        space: The features that the last layer reads, or the inputs, which a black box has too.
        reveal: Whether to look at the training rows of a model with a privacy guarantee.
    """

    space: Literal["features", "inputs"] = "features"
    reveal: bool = False

    def __call__(
        self, model: Model | Sequence[Model], train: Batch, x: Batch, *, rng: Generator
    ) -> Influence:
        """Return the similarities; `rng` is not used.

        Raises:
            NotMeasurable: The features of this model are not known.
        """
        question = asked(model, train, x, reveal=self.reveal)
        return made(
            question,
            pieces=[self._at(m, question) for m in question.models],
            method=f"NearestExamples, {self.space}",
            unit=text("similarity"),
            limits=(text("Similar examples need not have taught the model anything."),),
        )

    def _at(self, model: Model, question: Asked) -> Float[Tensor, "rows train"]:
        rows, train = (self._placed(model, data.x) for data in (question.x, question.train))
        middle = train.mean(0)
        rows, train = (nn.functional.normalize(v - middle, dim=1) for v in (rows, train))
        return (rows @ train.T) * _speaks(question)

    def _placed(self, model: Model, x: Inputs) -> Float[Tensor, "batch feature"]:
        if self.space == "inputs":
            return _inputs(model.schema, x)
        return model.embed(x).double() if isinstance(model, Embeds) else head_of(model).features(x)


@dataclass(frozen=True, kw_only=True)
class RandomInfluence:
    """Numbers drawn at random: the floor.

    Attributes:
        reveal: Whether to look at the training rows of a model with a privacy guarantee.
    """

    reveal: bool = False

    def __call__(
        self, model: Model | Sequence[Model], train: Batch, x: Batch, *, rng: Generator
    ) -> Influence:
        """Return the numbers."""
        question = asked(model, train, x, reveal=self.reveal)
        drawn = torch.randn(x.size, train.size, generator=rng, dtype=torch.float64)
        return made(question, pieces=[drawn], method="RandomInfluence", unit=text("nothing"))


def _speaks(question: Asked) -> Float[Tensor, "rows train"]:
    """Return what the label of each example says about each row."""
    own, asked_of = question.train.y, question.x.y
    if question.task.is_classification:
        return torch.where(own == asked_of[:, None], 1.0, -1.0).double()
    return (own - own.mean()).double().expand(len(asked_of), -1)


def _inputs(schema: Schema, x: Inputs) -> Float[Tensor, "batch feature"]:
    if schema.is_text:
        raise no_text("Similarity of inputs")
    rows = as_tensor(x)
    return (PrepareTable(schema)(rows) if schema.is_table else rows.flatten(1)).double()
