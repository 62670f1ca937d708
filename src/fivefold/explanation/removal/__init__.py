"""What stands where a feature is hidden: one row, the background, what fits the known features, or a blur."""

from fivefold.explanation.removal.baseline import BaselineRemoval
from fivefold.explanation.removal.blur import BlurRemoval
from fivefold.explanation.removal.copula import CopulaRemoval
from fivefold.explanation.removal.gaussian import GaussianRemoval
from fivefold.explanation.removal.marginal import MarginalRemoval
from fivefold.explanation.removal.neighbour import NeighbourRemoval
from fivefold.explanation.removal.protocol import Removal

__all__ = [
    "BaselineRemoval",
    "BlurRemoval",
    "CopulaRemoval",
    "GaussianRemoval",
    "MarginalRemoval",
    "NeighbourRemoval",
    "Removal",
]
