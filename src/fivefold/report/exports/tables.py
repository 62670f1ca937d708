"""The tables of this package: frameworks, the questions to the author, and who gives which number. All are data."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from fivefold.core.text import Language

FrameworkName: TypeAlias = Literal["annex-iv", "nist", "iso42001", "cn"]
FRAMEWORKS: tuple[FrameworkName, ...] = ("annex-iv", "nist", "iso42001", "cn")
_HOME = Path(__file__).parent


class Told(BaseModel):
    """A sentence in both languages."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    en: str
    zh: str

    def words(self, language: Language) -> str:
        """Return it in `language`."""
        return self.zh if language == "zh" else self.en


class Demand(Told):
    """One row of a framework: what it asks for, and where an answer may come from.

    `evidence` names numbers, `a | b` meaning any of them; `facts` what a run records besides, `statements`
    what only the author can say; `rest` is the part of the demand that none of these can cover.
    """

    id: str
    number: str = ""
    needs: Literal["", "statement"] = ""
    evidence: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()
    rest: Told | None = None


class Group(Told):
    """Rows that belong together."""

    number: str
    rows: tuple[Demand, ...]


class Framework(BaseModel):
    """What a law or a standard asks about a model, in our own words."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Told
    source: Told
    groups: tuple[Group, ...]
    language: Language = "en"

    @property
    def demands(self) -> tuple[Demand, ...]:
        """All rows."""
        return tuple(row for group in self.groups for row in group.rows)


class Producer(BaseModel):
    """What gives a number: a probe or a comparison, by the name that a recipe uses."""

    use: str
    table: Literal["probes", "comparisons"]


@cache
def framework(name: FrameworkName) -> Framework:
    """Return the table of a framework."""
    return Framework.model_validate(_read(f"frameworks/{name}.toml"))


@cache
def questions() -> Mapping[str, Told]:
    """Return what the author may state: the keys of `statements.toml`, each with its question."""
    return {key: Told.model_validate(told) for key, told in _read("questions.toml").items()}


@cache
def producers() -> Mapping[str, Producer]:
    """Return who gives each number, by `axis.name`."""
    found: dict[str, Producer] = {}
    told = _read("producers.toml")
    for key, use in told["probes"].items():
        found[key] = Producer(use=use, table="probes")
    for key, use in told["comparisons"].items():
        found[key] = Producer(use=use, table="comparisons")
    return found


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((_HOME / name).read_text(encoding="utf-8"))
