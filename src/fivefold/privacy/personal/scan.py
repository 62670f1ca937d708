"""All personal data of a text, each character in one finding at most."""

from collections.abc import Iterable, Sequence

from fivefold.core.errors import BadInput
from fivefold.privacy.personal.bank_card import BANK_CARD
from fivefold.privacy.personal.credit_code import CREDIT_CODE
from fivefold.privacy.personal.email import EMAIL
from fivefold.privacy.personal.finder import Finder, Finding
from fivefold.privacy.personal.iban import IBAN
from fivefold.privacy.personal.ip_address import IP_ADDRESS
from fivefold.privacy.personal.mobile import MOBILE
from fivefold.privacy.personal.passport import PASSPORT
from fivefold.privacy.personal.phone import PHONE
from fivefold.privacy.personal.plain import plain
from fivefold.privacy.personal.plate import PLATE
from fivefold.privacy.personal.resident_id import RESIDENT_ID
from fivefold.privacy.personal.social_security import SOCIAL_SECURITY, TOLD_SOCIAL_SECURITY

FINDERS: tuple[Finder, ...] = (
    RESIDENT_ID,
    BANK_CARD,
    CREDIT_CODE,
    IBAN,
    PASSPORT,
    TOLD_SOCIAL_SECURITY,
    MOBILE,
    PHONE,
    SOCIAL_SECURITY,
    PLATE,
    EMAIL,
    IP_ADDRESS,
)
SUREST = ("checked", "context", "pattern", "rule")


def find_personal(text: str, finders: Sequence[Finder] = FINDERS) -> tuple[Finding, ...]:
    """Return the personal data of a text, in order, without overlaps.

    Findings that share characters become one, which covers them all, so that nothing of any of them is
    left over. It is of the kind of the longest; of equally long ones, of the surest; then of the one
    whose finder is named first.

    Raises:
        BadInput: It is not a text.
    """
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise BadInput(
            "Personal data is looked for in texts, and this is a {kind}.", kind=type(text).__name__
        )
    simple = plain(text)
    found = (
        Finding(
            kind=finder.kind,
            start=start,
            end=end,
            text=text[start:end],
            confidence=finder.confidence,
        )
        for finder in finders
        for start, end in finder(simple)
    )
    return tuple(_united(text, group) for group in _groups(found))


def _groups(found: Iterable[Finding]) -> list[list[Finding]]:
    """Return findings in groups that are linked by shared characters."""
    groups: list[list[Finding]] = []
    end = -1
    for finding in sorted(found, key=lambda f: f.start):
        if finding.start >= end:
            groups.append([])
        groups[-1].append(finding)
        end = max(end, finding.end)
    return groups


def _united(text: str, group: list[Finding]) -> Finding:
    best = min(group, key=lambda f: (f.start - f.end, SUREST.index(f.confidence)))
    start, end = min(f.start for f in group), max(f.end for f in group)
    return Finding(
        kind=best.kind, start=start, end=end, text=text[start:end], confidence=best.confidence
    )
