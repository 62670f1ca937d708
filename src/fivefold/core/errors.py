"""Errors that say what went wrong, where, and how to mend it."""

from typing import Self
from unicodedata import category

from fivefold.core.text import Fact, Language, Text, translate

UNSEEN = ("Cc", "Cf", "Cs")  # control, format and half characters


class FivefoldError(Exception):
    """Base of every error raised on purpose.

    `code` is the exit status of the command line.
    """

    code = 1

    def __init__(self, what: str, *, where: str = "", mend: str = "", **facts: Fact) -> None:
        self.what = Text(what, facts)
        self.where = where
        self.mend = Text(mend, facts)
        super().__init__(self.words())

    def words(self, language: Language = "en") -> str:
        """Return the whole message in `language`."""
        place = f"{translate('Where', language)}: {self.where}" if self.where else ""
        parts = [self.what.words(language), place, self.mend.words(language)]
        return "\n".join(_legible(part) for part in parts if part)

    def at(self, where: str) -> Self:
        """Return this error with a more exact place."""
        self.where = where
        self.args = (self.words(),)
        return self


def _legible(told: str) -> str:
    """Return text without signs that steer a terminal or cannot be seen; they are written as escapes."""
    return "".join(repr(c)[1:-1] if category(c) in UNSEEN and c != "\n" else c for c in told)


class BadInput(FivefoldError):
    """Data, a file or an argument that cannot be used."""

    code = 3


class BadRecipe(BadInput):
    """A recipe or policy names something that does not exist or does not fit."""


class NotMeasurable(FivefoldError):
    """A probe asked for something this kind of model cannot show. The runner records why."""

    code = 3


class GateFailed(FivefoldError):
    """A policy's limit was broken, or a number it requires is missing."""

    code = 4


class Damaged(FivefoldError):
    """An artifact is not what was written: a byte changed, a file added or missing, a bad signature."""

    code = 5


class MissingExtra(FivefoldError):
    """An optional dependency is not installed."""

    code = 6


class LimitReached(FivefoldError):
    """A time, memory or disk limit was reached."""

    code = 7


def needs_net(step: str, model: str) -> NotMeasurable:
    """Return the error for a method that needs gradients of a black box."""
    return NotMeasurable(
        "{step} needs gradients, and a {model} has none.",
        mend="Distil it into a network first (efficiency.Distill), or use a query-only method.",
        step=step,
        model=model,
    )


def no_text(method: str) -> NotMeasurable:
    """Return the error for a method that treats inputs as numbers, which characters are not."""
    return NotMeasurable(
        "{method} is not possible on texts: characters are not quantities.",
        mend="Use a method made for words.",
        method=method,
    )
