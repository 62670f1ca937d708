"""Ways to learn, and how well the task is done."""

from fivefold.learning.accuracy import Accuracy
from fivefold.learning.auc import AUC
from fivefold.learning.f1 import F1
from fivefold.learning.finetune import Finetune
from fivefold.learning.regression import R2, RMSE

__all__ = ["AUC", "F1", "R2", "RMSE", "Accuracy", "Finetune"]
