"""Things that predict, and how they are saved."""

from fivefold.models.mlp import MLP
from fivefold.models.torch import TorchModel, fresh

__all__ = ["MLP", "TorchModel", "fresh"]
