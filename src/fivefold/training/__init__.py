"""One loop and its parts."""

from fivefold.training.average import Ema
from fivefold.training.fit import fit
from fivefold.training.optimizer import SGD, AdamW, Muon
from fivefold.training.schedule import Constant, Cosine, Linear
from fivefold.training.stop import EarlyStop

__all__ = ["SGD", "AdamW", "Constant", "Cosine", "EarlyStop", "Ema", "Linear", "Muon", "fit"]
