"""Models that a person can read, made to answer as a given model does, and how well they do."""

from fivefold.explanation.glass_box.additive import SurrogateGAM
from fivefold.explanation.glass_box.probe import GlassBox
from fivefold.explanation.glass_box.surrogate import Surrogate, surrogate
from fivefold.explanation.glass_box.tree import SurrogateTree

__all__ = ["GlassBox", "Surrogate", "SurrogateGAM", "SurrogateTree", "surrogate"]
