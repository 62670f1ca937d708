"""Things that predict, and how they are saved."""

from fivefold.models.mlp import MLP
from fivefold.models.save import load_model, save_model
from fivefold.models.torch import TorchModel, fresh

__all__ = ["MLP", "TorchModel", "fresh", "load_model", "save_model"]
