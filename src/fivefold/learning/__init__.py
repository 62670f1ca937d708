"""Ways to learn, and how well the task is done."""

from fivefold.learning.accuracy import Accuracy
from fivefold.learning.finetune import Finetune

__all__ = ["Accuracy", "Finetune"]
