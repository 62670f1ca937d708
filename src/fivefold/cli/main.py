"""The entry point: parse, run a verb, and turn every error into a message and an exit code."""

import os
import sys
import traceback
from typing import Any

import typer

from fivefold.cli.app import app
from fivefold.cli.voice import language_of
from fivefold.core.errors import FivefoldError
from fivefold.core.text import Language, text, translate

INTERRUPTED = 130


def main() -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(answer(sys.argv[1:]))


def answer(argv: list[str]) -> int:
    """Run one command and return its exit code; see the package's docstring for what each means."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads fight on a busy machine
    language = language_of(argv)
    command: Any = typer.main.get_command(app)
    _translate(command, language)
    try:
        return int(command.main(argv, prog_name="fivefold", standalone_mode=False) or 0)
    except FivefoldError as error:
        print(f"{translate('Error', language)}: {error.words(language)}", file=sys.stderr)
        return error.code
    except (KeyboardInterrupt, typer.Abort):
        print(translate("Interrupted; run it again to go on.", language), file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        return _unexpected(error, language)


def _unexpected(error: Exception, language: Language) -> int:
    """Tell a usage error from a fault of ours."""
    if callable(show := getattr(error, "show", None)):  # click's own errors know how to be shown
        show()
        return int(getattr(error, "exit_code", 2))
    traceback.print_exc()
    words = text(
        "This is a fault of fivefold, not yours: {kind}. Please report it with the lines above.",
        kind=type(error).__name__,
    )
    print(words.words(language), file=sys.stderr)
    return 1


def _translate(command: Any, language: Language) -> None:
    """Put the help of a command, its options and its verbs into `language`."""
    if command.help:
        command.help = translate(command.help.strip(), language)
    for parameter in command.params:
        if getattr(parameter, "help", None):
            parameter.help = translate(parameter.help, language)
    for verb in getattr(command, "commands", {}).values():
        _translate(verb, language)
