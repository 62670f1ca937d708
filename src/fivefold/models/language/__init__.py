"""Models of language: the tokens they read, and how likely they find an answer."""

from fivefold.models.language.generator import TextGenerator, open_generator
from fivefold.models.language.protocols import (
    ClassifiesTokens,
    ContinuesTokens,
    Generates,
    ReadsTokens,
)
from fivefold.models.language.tokens import StandIn, Tokens

__all__ = [
    "ClassifiesTokens",
    "ContinuesTokens",
    "Generates",
    "ReadsTokens",
    "StandIn",
    "TextGenerator",
    "Tokens",
    "open_generator",
]
