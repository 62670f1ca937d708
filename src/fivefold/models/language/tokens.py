"""The tokens that a text becomes, and the place of each among the characters."""

from typing import Any, Literal, NamedTuple, TypeAlias

import torch
from jaxtyping import Int
from torch import Tensor

StandIn: TypeAlias = Literal["mask", "pad", "unk"]
NOWHERE = (-1, -1)


class Tokens(NamedTuple):
    """A text as the tokens of one model.

    Attributes:
        ids: Their numbers in the vocabulary.
        spans: First character of each, and the one behind its last; `NOWHERE` for a token that the
            tokenizer added. Tokens that share one character, as those made of bytes do, all name it.
    """

    ids: Int[Tensor, " token"]
    spans: tuple[tuple[int, int], ...]


def tokens_of(tokenizer: Any, text: str, longest: int | None = None) -> Tokens:
    """Return the tokens of a text from a fast tokenizer of transformers, its own marks around them included."""
    cut = {} if longest is None else {"truncation": True, "max_length": longest}
    told = tokenizer(text, return_offsets_mapping=True, return_special_tokens_mask=True, **cut)
    pairs = zip(told["offset_mapping"], told["special_tokens_mask"], strict=True)
    spans = tuple(NOWHERE if is_added else (int(a), int(b)) for (a, b), is_added in pairs)
    return Tokens(torch.tensor(told["input_ids"], dtype=torch.int64), spans)


def stand_in_of(tokenizer: Any, kind: StandIn) -> int | None:
    """Return the token that stands for a hidden, a missing or an unknown word, if there is one."""
    return getattr(tokenizer, f"{kind}_token_id", None)
