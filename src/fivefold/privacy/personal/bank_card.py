"""Bank cards (ISO/IEC 7812: issuer, length, and the check digit of Luhn)."""

import re

from fivefold.privacy.personal.finder import NO_DIGIT_BEFORE, NO_DIGIT_BEHIND, Finder, Match, Span
from fivefold.privacy.personal.plain import compact

SHORTEST = 14
ISSUERS = (
    (re.compile("62"), range(16, 20)),  # UnionPay
    (re.compile("4"), range(16, 20, 3)),
    (re.compile("5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), range(16, 17)),
    (re.compile("3[47]"), range(15, 16)),
    (re.compile("35"), range(16, 17)),
    (re.compile("30[0-5]|3[689]"), range(14, 15)),
    (re.compile("6011|64[4-9]|65"), range(16, 20)),
)


def passes_luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of those before it."""
    doubled = [2 * int(d) for d in digits[-2::-2]]
    return (sum(int(d) for d in digits[::-2]) + sum(d - 9 * (d > 9) for d in doubled)) % 10 == 0


def is_bank_card(digits: str) -> bool:
    """Whether issuer, length and check digit agree."""
    known = any(p.match(digits) and len(digits) in lengths for p, lengths in ISSUERS)
    return known and passes_luhn(digits)


def _check(match: Match) -> Span | None:
    """Take the longest card that ends where no digit follows; a year or a price may stand behind it."""
    start, end = match.span()
    for stop in range(end, start + SHORTEST - 1, -1):
        ends = stop == end or match.string[stop] in " -"
        if (
            ends
            and match.string[stop - 1].isdigit()
            and is_bank_card(compact(match.string[start:stop]))
        ):
            return Span(start, stop)
    return None


BANK_CARD = Finder(
    kind="bank card",
    pattern=re.compile(
        NO_DIGIT_BEFORE + r"[2-6][0-9]{3}(?:[ -]{0,2}[0-9]){10,15}" + NO_DIGIT_BEHIND
    ),
    check=_check,
    confidence="checked",
)
