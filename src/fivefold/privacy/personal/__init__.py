"""Personal data in Chinese and English text: found, checked, and replaced."""

from fivefold.privacy.personal.finder import Finder, Finding
from fivefold.privacy.personal.pseudonymiser import Pseudonymiser
from fivefold.privacy.personal.rules import RULES
from fivefold.privacy.personal.scan import FINDERS, find_personal
from fivefold.privacy.personal.screen import PersonalScreen

__all__ = [
    "FINDERS",
    "RULES",
    "Finder",
    "Finding",
    "PersonalScreen",
    "Pseudonymiser",
    "find_personal",
]
