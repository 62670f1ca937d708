"""What the parser says, in the reader's language: its help, and what was wrong with a command."""

import re
from collections.abc import Callable
from typing import Any

from fivefold.core.errors import FivefoldError
from fivefold.core.text import Language, text, translate

HEADINGS = ("Usage:", "Options:", "Arguments:", "Commands:")
WORDS = ("[required]", "[default:", "[OPTIONS]", "COMMAND [ARGS]", "Show this message and exit.")
COMPLAINTS = {
    r"No such option: (?P<name>\S+)": text("There is no option {name}."),
    r"No such command '(?P<name>.*?)'": text("There is no command {name}."),
    r"Missing argument '(?P<name>.*?)'": text("The argument {name} is missing."),
    r"Missing option '(?P<name>.*?)'": text("The option {name} is missing."),
    r"Missing command": text("No command was given."),
    r"Option '(?P<name>.*?)' requires an argument": text("The option {name} needs a value."),
    r"Got unexpected extra argument\S* \((?P<name>.*)\)": text("Too many words: {name}."),
    r"Invalid value for '(?P<name>[^']*)'.*?: .*?'(?P<value>.*)' is not one of (?P<known>.*)\.":
        text("{name} cannot be {value}; it can be {known}."),
}  # fmt: skip


class Misused(FivefoldError):
    """There is no such command, option or argument."""

    code = 2


def put_into(command: Any, language: Language) -> None:
    """Put the help of a command, its options and its verbs into `language`."""
    if command.help:
        command.help = translate(command.help.strip(), language)
        command.short_help = command.help  # whole: the parser would cut it after 45 letters
    for parameter in command.params:
        if getattr(parameter, "help", None):
            parameter.help = translate(parameter.help, language)
    command.get_help = _worded(command.get_help, language)
    for verb in getattr(command, "commands", {}).values():
        put_into(verb, language)


def misused(error: Exception, language: Language) -> Misused | None:
    """Return what the parser complains of in our words; None if it is not the parser that complains."""
    if not callable(getattr(error, "format_message", None)):
        return None
    told: Any = error
    message: str = told.format_message()
    if type(error).__name__ == "NoArgsIsHelpError":
        return Misused(text("No command was given.").words(language), mend=_plain(message))
    verb = told.ctx.command_path if getattr(told, "ctx", None) else "fivefold"
    mend = text('See "{verb} --help".', verb=verb).words(language)
    if near := re.search(r"Did you mean (.*)\?|Possible options: (.*)\)", message):
        mend = text("Did you mean {near}?", near=near[1] or near[2]).words(language) + " " + mend
    return Misused(_plain(_complaint(message, language)), mend=_plain(mend))


def _worded(get_help: Callable[[Any], str], language: Language) -> Callable[[Any], str]:
    """Return `get_help` with the parser's own words in `language`."""

    def told(context: Any) -> str:
        words = get_help(context)
        for heading in HEADINGS:
            words = re.sub(f"(?m)^{heading}", translate(heading, language), words)
        for word in WORDS:
            words = words.replace(word, translate(word, language))
        return words

    return told


def _complaint(message: str, language: Language) -> str:
    for pattern, sentence in COMPLAINTS.items():
        if found := re.search(pattern, message):
            return text(sentence.template, **found.groupdict()).words(language)
    return message


def _plain(words: str) -> str:
    """Return finished words as a template without facts."""
    return words.replace("{", "{{").replace("}", "}}")
