"""A finder: where a pattern matches and a check agrees, there is personal data of one kind."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

Confidence: TypeAlias = Literal["checked", "context", "pattern", "rule"]
Match: TypeAlias = re.Match[str]

ALONE = r"(?<![0-9A-Za-z])"  # not the tail of a longer number or word
ENDS = r"(?![0-9A-Za-z])"
NO_DIGIT_BEFORE = r"(?<![0-9])"
NO_DIGIT_BEHIND = r"(?![0-9])"


class Span(NamedTuple):
    """A piece of a text, from `start` to before `end`."""

    start: int
    end: int


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Personal data in a text.

    Attributes:
        kind: What it is, such as "mobile number".
        start: Place of its first character.
        end: Place behind its last character.
        text: The characters, as they were written.
        confidence: "checked" by a checksum; "context" if a word before it says so; "pattern" by its
            form alone; "rule" for names and addresses, where rules miss much and guess.
    """

    kind: str
    start: int
    end: int
    text: str
    confidence: Confidence


def value_of(match: Match) -> Span:
    """Return the group `value` of a match, or all of it if there is no such group."""
    return Span(*match.span("value" if "value" in match.re.groupindex else 0))


@dataclass(frozen=True, kw_only=True)
class Finder:
    """Finds one kind of personal data in plain text (see `plain`).

    Attributes:
        kind: What it finds.
        pattern: Where it may be; every repetition in it is bounded, so that no text takes long.
        check: Returns what of a match is personal data, or None.
        confidence: How sure a finding is.
    """

    kind: str
    pattern: re.Pattern[str]
    check: Callable[[Match], Span | None] = value_of
    confidence: Confidence = "pattern"

    def __call__(self, plain: str) -> Iterator[Span]:
        """Yield each finding; a match that the check refuses hides none that begins inside it."""
        place = 0
        while match := self.pattern.search(plain, place):
            span = self.check(match)
            if span is not None:
                yield span
            place = max(span.end, match.start() + 1) if span else match.start() + 1
