"""Where a finder of personal data is put: it sees every string before the model does."""

from collections.abc import Sequence
from typing import Protocol

from fivefold.core.text import text
from fivefold.deploy.server.call import Call
from fivefold.deploy.server.refused import Refused


class PersonalFilter(Protocol):
    """Something that finds personal data in strings."""

    def __call__(self, strings: Sequence[str]) -> Sequence[str]:
        """Return the kinds that were found, such as "phone number"; empty if none was."""
        ...


class Personal:
    """Refuses inputs in which the filter finds personal data. Without a filter it does nothing.

    Args:
        finder: The filter.
    """

    def __init__(self, finder: PersonalFilter | None) -> None:
        self.finder = finder

    def __call__(self, call: Call) -> None:
        """Go on, or refuse with 422, naming kinds and never the data."""
        found = self.finder(call.strings) if self.finder and call.strings else ()
        if found:
            kinds = ", ".join(sorted(set(found)))
            raise Refused(422, "personal", text("Personal data: {kinds}.", kinds=kinds))
