"""What a model of language may let others see, as a few small protocols."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor

from fivefold.core.model import Model
from fivefold.models.language.tokens import StandIn, Tokens


@runtime_checkable
class Generates(Protocol):
    """A model that continues texts, and can say how likely it finds a continuation."""

    def pieces(self, answer: str) -> tuple[str, ...]:
        """Return the parts of the answer that have a probability of their own: its tokens, but no less than a character.

        Raises:
            BadInput: It has no token, or one that the model does not know.
        """
        ...

    def log_probabilities(
        self, prompts: Sequence[str], answer: str
    ) -> Float[Tensor, "prompts piece"]:
        """Return the log-probability, in nats, of each piece of the answer after each prompt and the pieces before.

        Raises:
            BadInput: Prompt and answer together are longer than the model can read.
        """
        ...


@runtime_checkable
class ReadsTokens(Protocol):
    """A model whose tokens are known, and whose embeddings of them a gradient can reach."""

    def tokens(self, text: str) -> Tokens:
        """Return the text as the model reads it, cut where it does not read on."""
        ...

    def stand_in(self, kind: StandIn) -> int | None:
        """Return the token of that kind; None if the tokenizer has none."""
        ...

    def embeddings(self, ids: Int[Tensor, " token"]) -> Float[Tensor, "token width"]:
        """Return what the network makes of tokens before it looks at their places."""
        ...


@runtime_checkable
class ClassifiesTokens(Model, ReadsTokens, Protocol):
    """A predictor of texts that also answers from embeddings."""

    def answer(
        self, embedded: Float[Tensor, "batch token width"]
    ) -> Float[Tensor, "batch outputs"]:
        """Return what `predict` does, with gradients."""
        ...


@runtime_checkable
class ContinuesTokens(Generates, ReadsTokens, Protocol):
    """A model that continues texts, and also answers from embeddings of the prompt."""

    def continued(
        self, embedded: Float[Tensor, "batch token width"], answer: str
    ) -> Float[Tensor, "batch piece"]:
        """Return what `log_probabilities` does, with gradients."""
        ...
