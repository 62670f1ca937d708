"""Where examples come from."""

from pathlib import Path
from typing import Protocol, runtime_checkable

from torch import Generator

from fivefold.core.data import Dataset


@runtime_checkable
class Source(Protocol):
    """A frozen dataclass that a recipe names under `[data]`."""

    def load(self, folder: Path, rng: Generator) -> Dataset:
        """Return the examples, split and described.

        Args:
            folder: What relative paths are relative to (the recipe's folder).
            rng: Decides the split.

        Raises:
            BadInput: The data cannot be used; says what, where (file, line, column) and how to mend it.
        """
        ...
