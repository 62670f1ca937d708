"""A filter for a server: which kinds of personal data are in what a caller sent."""

from collections.abc import Sequence
from dataclasses import dataclass

from fivefold.privacy.personal.finder import Finder
from fivefold.privacy.personal.scan import FINDERS, find_personal


@dataclass(frozen=True, kw_only=True)
class PersonalScreen:
    """Tells kinds of personal data and never the data, as a server's filter must.

    Attributes:
        finders: What to look for; names and addresses only if they are asked for, as rules guess.
    """

    finders: tuple[Finder, ...] = FINDERS

    def __call__(self, strings: Sequence[str]) -> Sequence[str]:
        """Return the kinds that were found, sorted; empty if none was."""
        return sorted({f.kind for s in strings for f in find_personal(s, self.finders)})
