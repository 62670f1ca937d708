"""One text seen as a table of its words, 1 where a word is known, so that every explainer can be asked about it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from fivefold.core.data import Inputs, as_tensor
from fivefold.core.lineage import Lineage
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.explanation.attribution import Attribution
from fivefold.explanation.explainer import Explainer


@dataclass(frozen=True, kw_only=True)
class AskedWords:
    """A text of which words may only be kept or hidden.

    Attributes:
        function: What is answered when some words are known.
        schema: One column per word.
        task: What the answer is.
        lineage: Nothing is known of it.
    """

    function: Callable[[Float[Tensor, "batch words"]], Float[Tensor, "batch outputs"]]
    schema: Schema
    task: Task
    lineage: Lineage = ()

    def predict(self, x: Inputs) -> Float[Tensor, "batch outputs"]:
        """Return the answers."""
        return self.function(as_tensor(x))

    def with_lineage(self, lineage: Lineage) -> Self:
        """Return the same text with another history."""
        return replace(self, lineage=lineage)


@dataclass(frozen=True, kw_only=True)
class OpenWords:
    """A text of which words may be there in part, with gradients.

    Attributes:
        net: What is answered when each word is there in part.
        schema: One column per word.
        task: What the answer is.
        lineage: Nothing is known of it.
    """

    net: nn.Module
    schema: Schema
    task: Task
    lineage: Lineage = ()

    @torch.no_grad()
    def predict(self, x: Inputs) -> Float[Tensor, "batch outputs"]:
        """Return the answers."""
        return self.net(as_tensor(x)).cpu()

    def with_net(self, net: nn.Module) -> Self:
        """Return the same words around another network."""
        return replace(self, net=net)

    def with_lineage(self, lineage: Lineage) -> Self:
        """Return the same text with another history."""
        return replace(self, lineage=lineage)


def table_of(n: int) -> Schema:
    """Return the schema of `n` words, each of them between hidden and there."""
    columns = tuple(Column(name=str(word), low=0.0, high=1.0) for word in range(n))
    return Schema(columns=columns, shape=(n,))


def asked_about(
    explainer: Explainer, words: AskedWords | OpenWords, *, rng: Generator
) -> Attribution:
    """Return how much each word moved the answers, from none of them to all."""
    n = words.schema.n_features
    return explainer(words, torch.ones(1, n), torch.zeros(1, n), rng=rng)
