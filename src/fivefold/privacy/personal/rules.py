"""Finders that guess: names and addresses by rules. They are asked for, never used by default."""

from fivefold.privacy.personal.addresses import CHINESE_ADDRESS, ENGLISH_ADDRESS
from fivefold.privacy.personal.finder import Finder
from fivefold.privacy.personal.names import CHINESE_NAME, ENGLISH_NAME

RULES: tuple[Finder, ...] = (CHINESE_NAME, ENGLISH_NAME, CHINESE_ADDRESS, ENGLISH_ADDRESS)
