"""How a verb speaks: data on stdout, messages on stderr, in the reader's language."""

import json
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fivefold.core.text import Fact, Language, text

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True, kw_only=True)
class Voice:
    """What every verb is told of its reader.

    Attributes:
        language: English or Chinese.
        is_json: Whether stdout carries JSON and nothing else.
    """

    language: Language = "en"
    is_json: bool = False

    def say(self, template: str, **facts: Fact) -> None:
        """Tell the reader something, on stderr."""
        print(text(template, **facts).words(self.language), file=sys.stderr)

    def give(self, data: Any, shown: Any = None) -> None:
        """Put the result on stdout: `data` as JSON if asked for, else `shown`."""
        if self.is_json:
            is_ascii = "utf" not in (sys.stdout.encoding or "").lower()
            print(json.dumps(data, ensure_ascii=is_ascii, indent=1, allow_nan=False))
        elif shown is not None:
            self.console().print(shown)

    def console(self, *, stderr: bool = False) -> "Console":
        """Return a rich console; plain and wide when nobody looks at a terminal."""
        from rich.console import Console

        stream = sys.stderr if stderr else sys.stdout
        is_told = stream.isatty() or "COLUMNS" in os.environ
        return Console(file=stream, width=None if is_told else 160, soft_wrap=not is_told)


def language_of(argv: list[str]) -> Language:
    """Return the language asked for by `--lang` or the variable FIVEFOLD_LANG; English otherwise.

    Needed before the arguments are parsed, because even the help is translated.
    """
    asked = os.environ.get("FIVEFOLD_LANG", "en")
    for i, word in enumerate(argv):
        if word == "--lang" and i + 1 < len(argv):
            asked = argv[i + 1]
        elif word.startswith("--lang="):
            asked = word.removeprefix("--lang=")
    known: dict[str, Language] = {"en": "en", "zh": "zh"}
    return known.get(asked, "en")
