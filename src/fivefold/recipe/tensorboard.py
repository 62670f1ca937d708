"""TensorBoard scalars of a run: losses while it trains, evidence when a stage has been measured."""

from math import isfinite
from pathlib import Path
from typing import Any

from fivefold.core.errors import MissingExtra
from fivefold.recipe.stage import Stage


class Scalars:
    """A progress listener that writes scalars, and a writer of evidence.

    Raises:
        MissingExtra: TensorBoard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingExtra(
                "TensorBoard is not installed.", mend='pip install "fivefold[track]"'
            ) from error
        self._writer: Any = SummaryWriter(str(folder))
        self._n_stages = 0

    def start(self, label: str, total: int | None) -> int:
        """Bars are not kept."""
        return 0

    def advance(self, handle: int) -> None:
        """Bars are not kept."""

    def stop(self, handle: int) -> None:
        """Bars are not kept."""

    def scalar(self, label: str, value: float, index: int) -> None:
        """Write a number along the way."""
        if isfinite(value):
            self._writer.add_scalar(label.replace(" · ", "/"), value, index)

    def stage(self, stage: Stage) -> None:
        """Write all evidence of a stage, with its bounds; the index counts the stages."""
        for found in stage.evidence:
            for name, value in (("", found.value), ("/low", found.low), ("/high", found.high)):
                if isfinite(value):
                    self._writer.add_scalar(f"{found.key}{name}", value, self._n_stages)
        self._n_stages += 1
        self._writer.flush()

    def close(self) -> None:
        """Write everything out."""
        self._writer.close()
