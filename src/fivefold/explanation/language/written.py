"""A text whose middle is explained, and which of its words each token belongs to."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from fivefold.core.codepoints import PADDING
from fivefold.models.language import Tokens
from fivefold.perturb import Groups, word_groups

FIXED = -1  # the word of a token that always stays


class Written(NamedTuple):
    """A text as code points, its words, and what always stands before and behind it."""

    points: Int[Tensor, " character"]
    groups: Groups
    before: str = ""
    after: str = ""

    @property
    def pieces(self) -> list[str]:
        """Each word with the spaces behind it; spaces in front of all words belong to the first."""
        found = [""] * self.groups.n
        for point, word in zip(self.points.tolist(), self.groups.member.tolist(), strict=True):
            found[word] += chr(point) if point != PADDING else ""
        return found

    @property
    def whole(self) -> str:
        """The text with all its words."""
        return self.before + "".join(self.pieces) + self.after


def written(points: Int[Tensor, " character"], before: str = "", after: str = "") -> Written:
    """Return a text with its words.

    Raises:
        BadInput: There is no word in it.
    """
    return Written(points, word_groups(points), before, after)


def without(text: Written, keep: Bool[Tensor, " words"]) -> str:
    """Return the text with some words left out; it does not end in a space that was inside before.

    A space at the end is part of no word for most tokenizers, and would make any continuation unlikely.
    """
    kept = [piece for piece, stays in zip(text.pieces, keep.tolist(), strict=True) if stays]
    middle = "".join(kept)
    if not keep[-1] and not text.after:
        middle = middle.rstrip()
    return text.before + middle + text.after


def told_apart(text: Written, tokens: Tokens) -> Written:
    """Return the text with words that share a token as one: nobody can hide half a token."""
    joined = torch.zeros(text.groups.n, dtype=torch.bool)  # with the word before
    for words in _words_of(text, tokens):
        if words:
            joined[min(words) + 1 : max(words) + 1] = True
    member = text.groups.member
    begins = [int((member == word).nonzero()[0]) for word in range(text.groups.n)]
    starts = [
        begin for begin, is_joined in zip(begins, joined.tolist(), strict=True) if not is_joined
    ]
    return text._replace(groups=word_groups(text.points, starts))


def word_of_tokens(text: Written, tokens: Tokens) -> Int[Tensor, " token"]:
    """Return the word that each token belongs to; `FIXED` for what always stays."""
    return torch.tensor([min(words, default=FIXED) for words in _words_of(text, tokens)])


def _words_of(text: Written, tokens: Tokens) -> list[set[int]]:
    """Return the words that each token has letters of; a token of spaces belongs to the word before."""
    letters = text.whole
    first = len(text.before)
    member = text.groups.member[text.points != PADDING].tolist()
    ends = first + len(member)

    def words(span: tuple[int, int]) -> set[int]:
        begin, end = span
        if begin < 0:
            return set()
        inside = range(begin, max(end, begin + 1))
        solid = [i for i in inside if i < len(letters) and not letters[i].isspace()]
        return {member[i - first] for i in solid or inside if first <= i < ends}

    return [words(span) for span in tokens.spans]


def columns_of(keep: Sequence[str]) -> tuple[str, ...]:
    """Return names that are all different: the second `a` becomes `a (2)`."""
    seen: dict[str, int] = {}
    found: list[str] = []
    for name in keep:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(found)
