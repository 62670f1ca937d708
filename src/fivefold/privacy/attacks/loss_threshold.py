"""The loss threshold (Yeom et al., 2018): a row that the model is sure of is called a member."""

from dataclasses import dataclass

from torch import Generator

from fivefold.privacy.attacks.view import Scores, View, parted


@dataclass(frozen=True, kw_only=True)
class LossThreshold:
    """Calls a row a member if the model's loss on it is small. It needs one query per row."""

    @property
    def name(self) -> str:
        """What it is called in the report."""
        return "loss threshold"

    @property
    def needs_shadows(self) -> bool:
        """It does not."""
        return False

    def scores(self, view: View, rng: Generator) -> Scores:
        """Return how sure the model is of each row."""
        return parted(view.sure, view)
