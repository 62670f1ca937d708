"""Pictures of attributions, each with what its numbers are worth written on it."""

from fivefold.explanation.pictures.plot import Plot

__all__ = ["Plot"]
