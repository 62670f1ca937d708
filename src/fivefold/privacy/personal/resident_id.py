"""Resident identity cards of mainland China (GB 11643-1999; check digit of ISO 7064, MOD 11-2)."""

import re
from datetime import date

from fivefold.privacy.personal.finder import NO_DIGIT_BEFORE, NO_DIGIT_BEHIND, Finder, Match, Span
from fivefold.privacy.personal.plain import compact

PROVINCES = frozenset(
    [
        "11",
        "12",
        "13",
        "14",
        "15",
        "21",
        "22",
        "23",
        "31",
        "32",
        "33",
        "34",
        "35",
        "36",
        "37",
        "41",
        "42",
        "43",
        "44",
        "45",
        "46",
        "50",
        "51",
        "52",
        "53",
        "54",
        "61",
        "62",
        "63",
        "64",
        "65",
        "71",
        "81",
        "82",
        "83",
    ]
)
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECKS = "10X98765432"
YEARS = range(1900, 2100)


def check_character(first: str) -> str:
    """Return the character that belongs behind the first 17 digits."""
    return CHECKS[sum(int(d) * w for d, w in zip(first, WEIGHTS, strict=True)) % 11]


def is_resident_id(number: str) -> bool:
    """Whether region, date of birth and check character of 18 characters are possible."""
    return (
        number[:2] in PROVINCES
        and _is_date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
        and check_character(number[:17]) == number[17]
    )


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return year in YEARS


def _check(match: Match) -> Span | None:
    return Span(*match.span()) if is_resident_id(compact(match[0])) else None


RESIDENT_ID = Finder(
    kind="resident ID card",
    pattern=re.compile(
        NO_DIGIT_BEFORE + r"[1-8](?:[ -]{0,2}[0-9]){16}[ -]{0,2}[0-9Xx]" + NO_DIGIT_BEHIND
    ),
    check=_check,
    confidence="checked",
)
