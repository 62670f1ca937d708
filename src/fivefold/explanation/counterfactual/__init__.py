"""The smallest plausible changes that turn an answer."""

from fivefold.explanation.counterfactual.answer import Change, Counterfactuals
from fivefold.explanation.counterfactual.counterfactual import Counterfactual, counterfactuals

__all__ = ["Change", "Counterfactual", "Counterfactuals", "counterfactuals"]
