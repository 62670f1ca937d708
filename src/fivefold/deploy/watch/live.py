"""Evidence from production in a file: sealed, written whole or not at all, of the same type as everywhere."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from string import Formatter

from fivefold.core.atomic import write_atomic
from fivefold.core.errors import Damaged
from fivefold.core.evidence import Finding, Missing
from fivefold.core.sealed import sealed, unsealed
from fivefold.core.text import Text

LIVE = "live.json"
LATEST = 253402300800.0  # the year 10000
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

    def __post_init__(self) -> None:
        if not (0 <= self.started < LATEST and 0 <= self.written < LATEST):
            raise ValueError("started and written are seconds since 1970.")

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
    live = unsealed(told, Live, where=where, mend=AGAIN)
    if not all(_is_plain(sentence) for f in live.findings for sentence in _sentences(f)):
        raise Damaged(
            "This file is not what was written: {problem}.", where=where, mend=AGAIN, problem="Text"
        )
    return live


def _sentences(finding: Finding) -> tuple[Text, ...]:
    if isinstance(finding, Missing):
        return (finding.reason,)
    return (finding.note, finding.chart.title) if finding.chart else (finding.note,)


def _is_plain(sentence: Text) -> bool:
    """Return whether a sentence of a stranger has its facts, and asks for nothing but them."""
    try:
        parts = list(Formatter().parse(sentence.template))
    except ValueError:
        return False
    return all(
        name is None
        or (name in sentence.facts and name.isidentifier() and not (spec or conversion))
        for _, name, spec, conversion in parts
    )
