"""A request that a guard turns away, with the status and the reason."""

from fivefold.core.text import Text
from fivefold.deploy.event import Refusal


class Refused(Exception):
    """Raised by a guard; the server answers with `status` and `reason`, in the caller's language.

    Args:
        status: HTTP status.
        refusal: Which guard it is, for machines.
        reason: Why, for people.
        retry_after: Seconds after which it may go better; 0 if it never will.
        challenge: How to show a key, as WWW-Authenticate has it.
    """

    def __init__(
        self,
        status: int,
        refusal: Refusal,
        reason: Text,
        *,
        retry_after: float = 0.0,
        challenge: bytes = b"",
    ) -> None:
        super().__init__(reason.words())
        self.status = status
        self.refusal: Refusal = refusal
        self.reason = reason
        self.retry_after = retry_after
        self.challenge = challenge


def malformed(reason: Text) -> Refused:
    """Return the refusal of a request that cannot be read."""
    return Refused(400, "malformed", reason)


def unfit(reason: Text) -> Refused:
    """Return the refusal of examples that the schema forbids."""
    return Refused(422, "schema", reason)
