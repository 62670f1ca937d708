"""Private training, and what a model gives away about its examples."""

from fivefold.privacy.attacks import (
    RMIA,
    BaVarIA,
    LabelOnly,
    LiRA,
    LossThreshold,
    QuantileRegression,
)
from fivefold.privacy.canary_audit import CanaryAudit
from fivefold.privacy.dpftrl import DPFTRL
from fivefold.privacy.dpsgd import DPSGD
from fivefold.privacy.engine.adaptive import AdaptiveClipping
from fivefold.privacy.engine.views import Jitter, ShiftAndFlip
from fivefold.privacy.epsilon import Epsilon
from fivefold.privacy.explanation_leakage import ExplanationLeakage
from fivefold.privacy.federated import Federated
from fivefold.privacy.gradient_inversion import GradientInversion
from fivefold.privacy.leakage.explainer import InputGradient
from fivefold.privacy.ledger import Ledger
from fivefold.privacy.membership import MembershipInference
from fivefold.privacy.personal import PersonalScreen, Pseudonymiser, find_personal
from fivefold.privacy.tuning import RepeatAndSelect

__all__ = [
    "DPFTRL",
    "DPSGD",
    "RMIA",
    "AdaptiveClipping",
    "BaVarIA",
    "CanaryAudit",
    "Epsilon",
    "ExplanationLeakage",
    "Federated",
    "GradientInversion",
    "InputGradient",
    "Jitter",
    "LabelOnly",
    "Ledger",
    "LiRA",
    "LossThreshold",
    "MembershipInference",
    "PersonalScreen",
    "Pseudonymiser",
    "QuantileRegression",
    "RepeatAndSelect",
    "ShiftAndFlip",
    "find_personal",
]
