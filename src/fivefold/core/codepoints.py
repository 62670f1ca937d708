"""Texts as tensors: one Unicode code point per place, 0 behind the end.

A text in this form can be indexed, split and hashed like any other input, and nothing of it is lost. A
place set to 0 anywhere is a character left out.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

PADDING = 0
LARGEST = 0x10FFFF


def encode_texts(texts: Sequence[str], length: int) -> Int[Tensor, "batch character"]:
    """Return the code points of `texts`, cut after `length` characters."""
    cut = [text[:length] for text in texts]
    points = np.zeros((len(cut), length), dtype=np.int32)
    for row, text in zip(points, cut, strict=True):
        row[: len(text)] = np.frombuffer(text.encode("utf-32-le", "replace"), dtype="<u4")
    return torch.from_numpy(points)


def decode_texts(points: Int[Tensor, "batch character"]) -> list[str]:
    """Return the texts whose code points these are."""
    rows = np.ascontiguousarray(points.detach().cpu().numpy().astype("<u4"))
    return [row[row != PADDING].tobytes().decode("utf-32-le", "replace") for row in rows]
