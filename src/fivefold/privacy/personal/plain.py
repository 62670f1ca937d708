"""Text whose digits, letters and dashes are ASCII, with every character where it was.

One character stands for one, so that a place in the plain text is the same place in the text itself.
"""

import re
import sys
from functools import cache
from unicodedata import category, decimal

DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d\u30fc"
BLANKS = "\u00a0\u00ad\u2002\u2003\u2007\u2009\u200b\u200c\u200d\u202f\u2060\u3000\ufeff"
SEPARATORS = re.compile(r"[ ().·-]+")


def plain(text: str) -> str:
    """Return `text` with full-width and foreign digits, letters, blanks and dashes made ASCII."""
    return text if text.isascii() else text.translate(_table())


def compact(plain_text: str) -> str:
    """Return plain text without blanks, dashes, brackets and points, in capitals."""
    return SEPARATORS.sub("", plain_text).upper()


@cache
def _table() -> dict[int, str]:
    digits = {
        point: str(decimal(chr(point)))
        for point in range(128, sys.maxunicode + 1)
        if category(chr(point)) == "Nd"
    }
    wide = {point: chr(point - 0xFEE0) for point in range(0xFF01, 0xFF5F)}
    dashes = {ord(c): "-" for c in DASHES}
    blanks = {ord(c): " " for c in BLANKS}
    return wide | digits | dashes | blanks
