"""The words of one text as features: a word is hidden as a whole, a Chinese character by itself (Ribeiro et al., 2016)."""

import unicodedata
from collections.abc import Sequence
from typing import Literal, TypeAlias

import torch
from jaxtyping import Int
from torch import Tensor

from fivefold.core.codepoints import PADDING
from fivefold.core.errors import BadInput
from fivefold.perturb.mask import Groups

Kind: TypeAlias = Literal["space", "letter", "mark", "sign"]
JOINTS = "'’-_·"  # inside a word they belong to it
SIGNS = (  # scripts without spaces between words, of which each character stands by itself
    *((0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3040, 0x30FF), (0x31F0, 0x31FF), (0x3400, 0x4DBF)),
    *((0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF)),
)


def word_groups(points: Int[Tensor, " character"], starts: Sequence[int] = ()) -> Groups:
    """Return the features of one text: its words, with the spaces behind them.

    Hidden words are left out: their places are set to 0, which is a text without them (core.codepoints).

    Args:
        points: Code points of the text.
        starts: Where each feature begins, in order, such as the pieces of a tokenizer; by default words,
            runs of punctuation, and single characters of Chinese and Japanese.

    Raises:
        BadInput: There is no word in the text.
    """
    letters = [chr(int(point)) if point else "" for point in points.tolist()]
    begins = list(starts) or _starts(letters)
    if not begins:
        raise BadInput("There is no word in this text.", mend="Give a text with at least one word.")
    member = torch.bucketize(torch.arange(len(letters)), torch.tensor(begins), right=True) - 1
    ends = [*begins[1:], len(letters)]
    names = ("".join(letters[a:b]).strip() for a, b in zip(begins, ends, strict=True))
    return Groups(tuple(names), member.clamp(min=0), (len(begins),))


def blank(points: Int[Tensor, "batch character"]) -> Int[Tensor, "1 character"]:
    """Return a text with nothing in it, which stands for "no word is known"."""
    return torch.full_like(points[:1], PADDING)


def _starts(letters: Sequence[str]) -> list[int]:
    found: list[int] = []
    before: Kind = "space"
    for i, letter in enumerate(letters):
        kind = "letter" if _is_joint(letters, i) else _kind(letter)
        if kind == "sign" or (kind != "space" and kind != before):
            found.append(i)
        before = kind
    return found


def _kind(letter: str) -> Kind:
    if not letter or letter.isspace():
        return "space"
    point = ord(letter)
    if any(low <= point <= high for low, high in SIGNS):
        return "sign"
    return "letter" if unicodedata.category(letter)[0] in "LNM" else "mark"


def _is_joint(letters: Sequence[str], i: int) -> bool:
    is_inside = 0 < i < len(letters) - 1
    return is_inside and letters[i] != "" and letters[i] in JOINTS and all(
        _kind(letters[j]) == "letter" for j in (i - 1, i + 1)
    )  # fmt: skip
