"""Ways to tell who was in the training data."""

from fivefold.privacy.attacks.bavaria import BaVarIA
from fivefold.privacy.attacks.label_only import LabelOnly
from fivefold.privacy.attacks.lira import LiRA
from fivefold.privacy.attacks.loss_threshold import LossThreshold
from fivefold.privacy.attacks.quantile import QuantileRegression
from fivefold.privacy.attacks.rmia import RMIA
from fivefold.privacy.attacks.view import Attack, Scores, ShadowView, View

__all__ = [
    "RMIA",
    "Attack",
    "BaVarIA",
    "LabelOnly",
    "LiRA",
    "LossThreshold",
    "QuantileRegression",
    "Scores",
    "ShadowView",
    "View",
]
