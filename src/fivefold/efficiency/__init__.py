"""What the model costs to keep and to run."""

from fivefold.efficiency.distill import Distill

__all__ = ["Distill"]
