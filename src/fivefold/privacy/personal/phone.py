"""Telephone numbers of the world (ITU-T E.164), of North America, and land lines of China."""

import re

from fivefold.privacy.personal.finder import Finder, Match, Span
from fivefold.privacy.personal.mobile import AMOUNT, is_told_otherwise

WORLD = r"\+(?:1(?:[ ().-]{0,2}[0-9]){10}|[2-9](?:[ ().-]{0,2}[0-9]){7,14})"
AMERICA = r"(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[-. ])[2-9][0-9]{2}[-. ][0-9]{4}"
LAND_LINE = r"\(?0(?:10|2[0-9]|[3-9][0-9]{2})\)?(?:[ -]{1,2}|(?<=\)))[2-9][0-9]{6,7}"


def _check(match: Match) -> Span | None:
    return None if is_told_otherwise(match) else Span(*match.span())


PHONE = Finder(
    kind="phone number",
    pattern=re.compile(
        rf"(?<![0-9A-Za-z+])(?<![0-9][.-])(?:{WORLD}|{AMERICA}|{LAND_LINE})" + AMOUNT
    ),
    check=_check,
)
