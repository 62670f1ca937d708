"""Check an audit log, and say what a chain cannot show by itself."""

from datetime import UTC, datetime
from pathlib import Path

from fivefold.cli.voice import Voice
from fivefold.core.errors import BadInput
from fivefold.core.text import text
from fivefold.deploy.ledger import LedgerReport, verify_ledger


def verify_log(path: Path, head: str, voice: Voice) -> None:
    """Check an audit log and put what was found on stdout.

    Raises:
        Damaged: A row is not as it was written, or is missing; names the first.
    """
    found = verify_ledger(path, head)
    voice.say("Intact: {n} rows, each chained to the one before.", n=found.rows)
    if found.n_back:
        voice.say(
            "{n} rows bear an earlier time than the row before them, the first is row {row}: the clock was set, or requests crossed.",
            n=found.n_back,
            row=found.back[0],
        )
    if found.is_anchored:
        voice.say("The given head is in the chain; rows after it: {n}.", n=found.after_anchor)
    else:
        voice.say(
            "Without --head nobody can tell whether rows were cut off at the end, or the whole log was written anew. Keep the head elsewhere and give it next time."
        )
    data = {"path": str(path), "intact": True, **found.to_dict()}
    voice.give(data, _lines(found, voice))


def nothing_to_verify() -> BadInput:
    """Return the error for a command that names neither a bundle nor a log."""
    return BadInput(
        "There is nothing to verify.", mend="Give the folder of a bundle, or --audit-log FILE."
    )


def _lines(found: LedgerReport, voice: Voice) -> str:
    told = [text("Head: {hash}", hash=found.head)]
    if found.first is not None and found.last is not None:
        told.append(text("From {first} to {last}", first=_day(found.first), last=_day(found.last)))
    told += [text("Bundle: {path}", path=b) for b in found.bundles if b]
    return "\n".join(t.words(voice.language) for t in told)


def _day(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return str(seconds)
