"""Unified social credit codes of organisations and sole traders in China (GB 32100-2015)."""

import re

from fivefold.privacy.personal.finder import ALONE, ENDS, Finder, Match, Span
from fivefold.privacy.personal.plain import compact
from fivefold.privacy.personal.resident_id import PROVINCES

LETTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
REGIONS = PROVINCES | {"10"}  # 100000 is the state itself


def check_character(first: str) -> str:
    """Return the character that belongs behind the first 17; the weights are powers of 3 modulo 31."""
    total = sum(LETTERS.index(c) * pow(3, i, 31) for i, c in enumerate(first))
    return LETTERS[-total % 31]


def _check(match: Match) -> Span | None:
    code = compact(match[0])
    is_real = code[2:4] in REGIONS and check_character(code[:17]) == code[17]
    return Span(*match.span()) if is_real else None


SIGN = "[0-9A-HJ-NPQRTUWXY]"
CREDIT_CODE = Finder(
    kind="unified social credit code",
    pattern=re.compile(
        ALONE + f"[1-9AN-Y][ -]?[1-59][ -]?[0-9](?:[ -]?[0-9]){{5}}(?:[ -]?{SIGN}){{10}}" + ENDS,
        re.IGNORECASE | re.ASCII,
    ),
    check=_check,
    confidence="checked",
)
