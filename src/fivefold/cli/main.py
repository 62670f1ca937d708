"""The entry point: parse, run a verb, and turn every error into a message and an exit code."""

import errno
import os
import sys
import traceback
from typing import Any

import typer

from fivefold.cli.helptext import misused, put_into
from fivefold.cli.verbs import app
from fivefold.cli.voice import language_of
from fivefold.core.errors import BadInput, FivefoldError, LimitReached
from fivefold.core.text import Language, text, translate

INTERRUPTED = 130
FULL = (errno.ENOSPC, errno.EDQUOT)


def main() -> None:
    """Run the command line and leave with its exit code."""
    for stream in (sys.stdout, sys.stderr):  # an old terminal shows "?" for a sign that it lacks
        if callable(reconfigure := getattr(stream, "reconfigure", None)):
            reconfigure(errors="replace")
    sys.exit(answer(sys.argv[1:]))


def answer(argv: list[str]) -> int:
    """Run one command and return its exit code; see the package's docstring for what each means."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads fight on a busy machine
    language = language_of(argv)
    try:
        code = _carried_out(argv, language)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        return _told(error, language)
    if code == INTERRUPTED:
        print(translate("Interrupted; run it again to go on.", language), file=sys.stderr)
    return code


def _carried_out(argv: list[str], language: Language) -> int:
    command: Any = typer.main.get_command(app)
    put_into(command, language)
    spoken = _spoken(command, language)  # so that a --lang before the verb counts as well
    return int(
        command.main(argv, prog_name="fivefold", standalone_mode=False, default_map=spoken) or 0
    )


def _spoken(command: Any, language: Language) -> dict[str, Any]:
    """Return the defaults of every verb below `command`: the reader's language."""
    given: dict[str, Any] = {"lang": language}
    verbs = getattr(command, "commands", {})
    return given | {name: _spoken(verb, language) for name, verb in verbs.items()}


def _told(error: Exception, language: Language) -> int:
    """Say what went wrong and return its exit code."""
    known = _understood(error, language)
    if known is not None:
        print(f"{translate('Error', language)}: {known.words(language)}", file=sys.stderr)
        return known.code
    traceback.print_exception(error)
    words = text(
        "This is a fault of fivefold, not yours: {kind}. Please report it with the lines above.",
        kind=type(error).__name__,
    )
    print(words.words(language), file=sys.stderr)
    return 1


def _understood(error: Exception, language: Language) -> FivefoldError | None:
    """Return the error as one that people can act on; None if it is a fault of ours."""
    if isinstance(error, FivefoldError):
        return error
    if isinstance(error, OSError) and error.errno in FULL:
        return LimitReached(
            "The disk is full.", where=_place(error), mend="Make room and run it again."
        )
    if isinstance(error, OSError) and error.errno == errno.EIO:
        return LimitReached(
            "The disk does not work: {problem}.",
            where=_place(error),
            mend="Check the disk, then run it again; what was written before is whole.",
            problem=str(error.strerror),
        )
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return LimitReached(
            "Memory ran out.", mend="Make the model, the batches or the data smaller."
        )
    if isinstance(error, OSError) and error.filename is not None:
        return BadInput(
            "This path cannot be used: {problem}.",
            where=_place(error),
            mend="Choose another path, or mend its permissions.",
            problem=str(error.strerror),
        )
    return misused(error, language)


def _place(error: OSError) -> str:
    return "" if error.filename is None else os.fsdecode(error.filename)
