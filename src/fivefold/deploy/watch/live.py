"""Evidence from production in a file: sealed, written whole or not at all, of the same type as everywhere."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fivefold.core.atomic import write_atomic
from fivefold.core.evidence import Finding
from fivefold.core.sealed import sealed, unsealed

LIVE = "live.json"
AGAIN = "Is it the live.json of a server, or its /live/evidence.json?"


@dataclass(frozen=True, kw_only=True)
class Live:
    """What a server has found about the model it serves.

    Attributes:
        name: Name under which the model is served.
        run: Name of the run it comes from.
        stage: Name of the stage that ships.
        digest: SHA-256 of the manifest of the bundle; "" if there is none.
        started: When the server began to watch, seconds since 1970.
        written: When this was written, seconds since 1970.
        minutes: How far back the numbers look, at most.
        requests: Requests since the start.
        lost: Requests that were counted but came too fast to be looked at.
        findings: Evidence, and what could not be measured.
    """

    name: str
    run: str
    stage: str
    digest: str
    started: float
    written: float
    minutes: int
    requests: int
    lost: int
    findings: tuple[Finding, ...]

    @property
    def when(self) -> str:
        """When it was written, ISO 8601, UTC."""
        return datetime.fromtimestamp(self.written, UTC).isoformat(timespec="seconds")


def seal_live(live: Live) -> str:
    """Return the content of `live.json`."""
    return sealed(live)


def write_live(folder: Path, live: Live) -> None:
    """Write `live.json` into the state folder of a server."""
    write_atomic(folder / LIVE, seal_live(live))


def read_live(told: bytes, *, where: str) -> Live:
    """Return what was sealed.

    Raises:
        Damaged: A byte was changed, or it is something else.
    """
    return unsealed(told, Live, where=where, mend=AGAIN)
