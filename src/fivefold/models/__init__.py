"""Things that predict, and how they are saved."""

from fivefold.models.callable import CallableModel, import_function
from fivefold.models.convnet import ConvNet
from fivefold.models.int8 import Int8Linear
from fivefold.models.mlp import MLP
from fivefold.models.open import open_model
from fivefold.models.resnet import ResNet
from fivefold.models.save import load_model, save_model
from fivefold.models.sklearn import SklearnModel
from fivefold.models.torch import TorchModel, fresh
from fivefold.models.web import Access

__all__ = [
    "MLP",
    "Access",
    "CallableModel",
    "ConvNet",
    "Int8Linear",
    "ResNet",
    "SklearnModel",
    "TorchModel",
    "fresh",
    "import_function",
    "load_model",
    "open_model",
    "save_model",
]
