"""The last so many rows of numbers, in memory that never grows."""

from math import inf

import torch
from jaxtyping import Float
from torch import Tensor


class Ring:
    """The last `capacity` rows; the first number of a row is its time."""

    def __init__(self, capacity: int, width: int) -> None:
        self._kept = torch.zeros(capacity, width, dtype=torch.float64)
        self._next = 0
        self._n = 0

    def __len__(self) -> int:
        return self._n

    def add(self, rows: Float[Tensor, "row number"]) -> None:
        """Append rows; the oldest make room."""
        capacity = len(self._kept)
        rows = rows[-capacity:]
        place = (torch.arange(len(rows)) + self._next) % capacity
        self._kept[place] = rows.double()
        self._next = (self._next + len(rows)) % capacity
        self._n = min(self._n + len(rows), capacity)

    @property
    def whole_since(self) -> float:
        """The moment since which nothing was forgotten; minus infinity if nothing ever was."""
        return float(self._kept[:, 0].min()) if self._n == len(self._kept) else -inf

    def since(self, time: float) -> Float[Tensor, "row number"]:
        """Return a copy of the rows that are not older than `time`, in no special order."""
        kept = self._kept[: self._n]
        return kept[kept[:, 0] >= time]
