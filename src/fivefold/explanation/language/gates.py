"""Words as numbers: each moves the embeddings of its tokens between a stand-in (0) and what they are (1)."""

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from fivefold.core.errors import needs_net
from fivefold.explanation.language.written import FIXED
from fivefold.perturb import in_parts

Answer: TypeAlias = Callable[[Float[Tensor, "batch token width"]], Float[Tensor, "batch outputs"]]
CELLS = 2**20  # numbers of embeddings that exist at one time


class Gates(nn.Module):
    """A network of one text, whose inputs are how much of each word is there.

    Its derivative by a word is the sum, over the word's tokens, of the gradient times the way from the
    stand-in to the embedding; so a straight line in these numbers is one in the embeddings.

    Args:
        embedded: Embeddings of the tokens of the text.
        stand_in: What stands for a hidden token.
        word: The word of each token.
        answer: What is asked with embeddings.
    """

    def __init__(
        self,
        embedded: Float[Tensor, "token width"],
        stand_in: Float[Tensor, " width"],
        word: Int[Tensor, " token"],
        answer: Answer,
    ) -> None:
        super().__init__()
        self.embedded, self.stand_in = embedded.detach(), stand_in.detach()
        self.word, self.answer = word, answer

    def forward(self, gates: Float[Tensor, "batch words"]) -> Float[Tensor, "batch outputs"]:
        """Return the answers; where gradients are wanted, a few rows at a time keep what they need."""
        if torch.is_grad_enabled() and gates.requires_grad:
            return _Sloped.apply(gates, self)
        with torch.no_grad():
            found = in_parts(lambda rows: self.at(gates[rows]), torch.arange(len(gates)), self.size)
            return torch.cat(list(found))

    @property
    def size(self) -> int:
        """How many rows are asked at one time."""
        return CELLS // max(1, self.embedded.numel())

    def at(self, gates: Float[Tensor, "batch words"]) -> Float[Tensor, "batch outputs"]:
        """Return the answers to some rows."""
        is_fixed = (self.word == FIXED).to(self.embedded.device)
        share = gates.to(self.embedded)[:, self.word.clamp(min=0)]
        share = share.masked_fill(is_fixed, 1.0)[..., None]  # (batch, token, 1)
        return self.answer(self.stand_in + share * (self.embedded - self.stand_in))


class _Sloped(torch.autograd.Function):
    """Answers together with their slopes, which are small: memory holds one part of the network's work."""

    @staticmethod
    def forward(ctx: Any, gates: Tensor, net: Gates) -> Tensor:
        found = list(
            in_parts(lambda rows: _slopes(net, gates[rows]), torch.arange(len(gates)), net.size)
        )
        ctx.save_for_backward(torch.cat([slope for _, slope in found]))
        return torch.cat([answer for answer, _ in found])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (slope,) = ctx.saved_tensors
        return torch.einsum("bo,bow->bw", grads[0].to(slope), slope), None


def _slopes(
    net: Gates, gates: Float[Tensor, "batch words"]
) -> tuple[Float[Tensor, "batch outputs"], Float[Tensor, "batch outputs words"]]:
    with torch.enable_grad():
        at = gates.detach().requires_grad_()
        answers = net.at(at)
        if not answers.requires_grad:
            raise needs_net("A gradient", "network of integers")
        slopes = [torch.autograd.grad(one, at, retain_graph=True)[0] for one in answers.sum(0)]
    return answers.detach(), torch.stack(slopes, 1)
