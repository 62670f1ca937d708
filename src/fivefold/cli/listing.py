"""What a recipe can name, found by looking in the packages."""

from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from importlib import import_module
from inspect import getdoc, isabstract, isclass
from typing import Any, NamedTuple

from fivefold.cli.voice import Voice
from fivefold.core.codec import encode, import_class
from fivefold.core.probe import Comparison, Probe
from fivefold.core.step import Step

PACKAGES = (
    "data", "models", "training", "learning", "explanation", "privacy",
    "generalization", "efficiency", "security",
)  # fmt: skip


class Entry(NamedTuple):
    """One name with its kind and first sentence."""

    name: str
    kind: str
    about: str


def listing(name: str, voice: Voice) -> None:
    """Print every name, or all about one."""
    if name:
        _one(import_class(name), name, voice)
        return
    entries = sorted(_entries(), key=lambda e: (KINDS.index(e.kind), e.name))
    voice.give([e._asdict() for e in entries], _table(entries))


KINDS = ("step", "probe", "comparison", "part")


def _entries() -> Iterator[Entry]:
    for package in PACKAGES:
        module = import_module(f"fivefold.{package}")
        for name in getattr(module, "__all__", ()):
            found = getattr(module, name)
            if (
                isclass(found)
                and is_dataclass(found)
                and not isabstract(found)
                and _can_be_named(found)
            ):
                about = (getdoc(found) or "").partition("\n")[0]
                yield Entry(f"{package}.{name}", _kind(found), about)


def _kind(cls: type) -> str:
    bases = {"step": Step, "probe": Probe, "comparison": Comparison}
    return next((kind for kind, base in bases.items() if issubclass(cls, base)), "part")


def _can_be_named(cls: type) -> bool:
    """Whether a recipe could spell all of its fields."""
    return all(f.kw_only for f in fields(cls))


def _one(cls: type, name: str, voice: Voice) -> None:
    rows = [{"field": f.name, "type": _type(f), "default": _default(f)} for f in fields(cls)]
    text = f"{name}\n\n{getdoc(cls) or ''}\n\n" + "\n".join(
        f"  {r['field']} = {r['default']}" for r in rows
    )
    voice.give({"name": name, "about": getdoc(cls), "fields": rows}, text)


def _type(field: "Field[Any]") -> str:
    return getattr(field.type, "__name__", str(field.type))


def _default(field: "Field[Any]") -> str:
    if field.default is not MISSING:
        return str(encode(field.default))
    return "required" if field.default_factory is MISSING else str(encode(field.default_factory()))


def _table(entries: list[Entry]) -> object:
    from rich.table import Table

    table = Table(box=None)
    for column in Entry._fields:
        table.add_column(column)
    for entry in entries:
        table.add_row(*entry)
    return table
