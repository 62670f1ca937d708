"""How features act together."""

from fivefold.explanation.interactions.choose import interactions
from fivefold.explanation.interactions.exact import ExactInteractions
from fivefold.explanation.interactions.result import Interactions
from fivefold.explanation.interactions.sampled import SampledInteractions

__all__ = ["ExactInteractions", "Interactions", "SampledInteractions", "interactions"]
