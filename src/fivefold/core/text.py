"""Sentences for people, in English and Chinese.

A sentence is written once, in English, where it belongs; its Chinese lies in the `zh.toml` of the same
package, keyed by the English template. A test compares the two.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

Language: TypeAlias = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
Fact: TypeAlias = str | int | float


@dataclass(frozen=True)
class Text:
    """A sentence with its facts, put into words only when somebody reads it.

    Attributes:
        template: English sentence with `{name}` where a fact belongs.
        facts: Values of the names.
    """

    template: str
    facts: Mapping[str, Fact] = field(default_factory=dict[str, Fact])

    def words(self, language: Language = "en") -> str:
        """Return the sentence in `language`; English where a translation is lacking."""
        facts = {k: _shown(v, language) for k, v in self.facts.items()}
        return translate(self.template, language).format(**facts)

    def __str__(self) -> str:
        return self.words()

    def __bool__(self) -> bool:
        return bool(self.template)


def text(template: str, **facts: Fact) -> Text:
    """Return a `Text`; the short way to write one."""
    return Text(template, facts)


def translate(template: str, language: Language) -> str:
    """Return `template` in `language`, or as it is if nobody has translated it."""
    return template if language == "en" else chinese().get(template, template)


@cache
def chinese() -> Mapping[str, str]:
    """Return every Chinese sentence, keyed by its English template."""
    found: dict[str, str] = {}
    for path in sorted(Path(__file__).parent.parent.glob("**/zh.toml")):
        found |= tomllib.loads(path.read_text(encoding="utf-8"))
    return found


def _shown(fact: Fact, language: Language) -> Fact:
    if isinstance(fact, str):
        return translate(fact, language)
    return f"{fact:.4g}" if isinstance(fact, float) else fact
