"""What the model costs to keep and to run."""

from fivefold.efficiency.distill import Distill
from fivefold.efficiency.prune import Prune

__all__ = ["Distill", "Prune"]
