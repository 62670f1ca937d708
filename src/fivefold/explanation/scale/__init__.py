"""Explanations of more rows than one call or one process takes: from files, into files, by many workers."""

from fivefold.explanation.scale.spread import Scale, explain_all
from fivefold.explanation.scale.written import Written, explain_to

__all__ = ["Scale", "Written", "explain_all", "explain_to"]
