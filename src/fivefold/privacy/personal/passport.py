"""Passports: their numbers look like many others, so a word before them must say what they are."""

import re

from fivefold.privacy.personal.finder import ENDS, Finder

PASSPORT = Finder(
    kind="passport",
    pattern=re.compile(
        r"(?:护照|passport)[ ]{0,2}(?:号码?|编号|no\.?|num(?:ber)?|id)?[ ]{0,2}(?:is|是|为)?[:：# ]{0,3}"
        r"(?P<value>(?:[A-Z]{1,2}[ ]?)?[0-9](?:[ ]?[0-9]){5,8}|(?=(?:[A-Z]{0,4}[0-9]){5})[A-Z0-9]{6,9})"
        + ENDS,
        re.IGNORECASE | re.ASCII,
    ),
    confidence="context",
)
