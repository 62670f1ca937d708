"""Whether a model still works when its inputs change: by malice, by accident, between groups."""

from fivefold.generalization.adversarial_training import AdversarialTraining
from fivefold.generalization.calibration import Calibration
from fivefold.generalization.corruption_accuracy import CorruptionAccuracy
from fivefold.generalization.query_robustness import QueryRobustness
from fivefold.generalization.robust_accuracy import RobustAccuracy
from fivefold.generalization.worst_group import WorstGroup

__all__ = [
    "AdversarialTraining",
    "Calibration",
    "CorruptionAccuracy",
    "QueryRobustness",
    "RobustAccuracy",
    "WorstGroup",
]
