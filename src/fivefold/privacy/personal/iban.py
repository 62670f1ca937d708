"""International bank account numbers (ISO 13616: length by country, remainder 1 modulo 97)."""

import re

from fivefold.privacy.personal.finder import ALONE, Finder, Match, Span

LENGTHS = {
    country: int(length)
    for length, countries in {
        "15": "NO", "16": "BE", "18": "DK FI FO GL NL", "19": "MK SI", "20": "AT BA EE KZ LT LU XK",
        "21": "CH HR LI LV", "22": "BG BH CR DE GB GE IE ME RS", "23": "AE GI IL IQ TL",
        "24": "AD CZ ES MD PK RO SA SE SK TN VG", "25": "LY PT ST", "26": "IS TR",
        "27": "BI DJ FR GR IT MC MR SM", "28": "AL AZ BY CY DO GT HU LB NI PL SV",
        "29": "BR EG PS QA UA", "30": "JO KW MU", "31": "MT SC", "32": "LC", "33": "RU",
    }.items()
    for country in countries.split()
}  # fmt: skip


def is_iban(account: str) -> bool:
    """Whether length and check digits of an account without blanks agree."""
    turned = account[4:] + account[:4]
    return (
        len(account) == LENGTHS.get(account[:2])
        and int("".join(str(int(c, 36)) for c in turned)) % 97 == 1
    )


def _check(match: Match) -> Span | None:
    """Take as many signs as the country's accounts have; other words may follow."""
    length = LENGTHS.get(match[0][:2].upper(), 0)
    places = [i for i, c in enumerate(match[0]) if c not in " -"][:length]
    if len(places) < max(length, 1):
        return None
    end = match.start() + places[-1] + 1
    account = "".join(match[0][i] for i in places).upper()
    follows = match.string[end : end + 1]
    is_whole = not (follows.isascii() and follows.isalnum())
    return Span(match.start(), end) if is_whole and is_iban(account) else None


IBAN = Finder(
    kind="IBAN",
    pattern=re.compile(ALONE + r"[A-Za-z]{2}[0-9]{2}(?:[ -]?[A-Za-z0-9]){11,29}"),
    check=_check,
    confidence="checked",
)
