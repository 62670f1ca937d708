"""What a recipe can name, found by looking in the packages."""

from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from importlib import import_module
from inspect import formatannotation, getdoc, isabstract, isclass
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from fivefold.cli.voice import Voice
from fivefold.core.codec import encode, import_class
from fivefold.core.probe import Comparison, Probe
from fivefold.core.step import Step
from fivefold.core.text import translate

PACKAGES = (
    "data", "models", "training", "learning", "explanation", "privacy",
    "generalization", "efficiency", "security",
)  # fmt: skip
REQUIRED, NONE = "required", "none"
KINDS = ("step", "probe", "comparison", "part")


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
    voice.give([e._asdict() for e in entries], _table(entries, voice))
    voice.say('Show one in full: "fivefold list {name}".', name=entries[0].name)


def _entries() -> Iterator[Entry]:
    for package in PACKAGES:
        module = import_module(f"fivefold.{package}")
        for name in getattr(module, "__all__", ()):
            found = getattr(module, name)
            if _can_be_named(found):
                yield Entry(f"{package}.{name}", _kind(found), _first_sentence(found))


def _kind(cls: type) -> str:
    bases = {"step": Step, "probe": Probe, "comparison": Comparison}
    return next((kind for kind, base in bases.items() if issubclass(cls, base)), "part")


def _first_sentence(cls: type) -> str:
    return " ".join((getdoc(cls) or "").partition("\n\n")[0].split())


def _can_be_named(found: Any) -> bool:
    """Whether it is a finished dataclass of which a recipe could spell all fields."""
    if not (isclass(found) and is_dataclass(found)) or isabstract(found):
        return False
    return all(f.kw_only for f in fields(found))


def _one(cls: type, name: str, voice: Voice) -> None:
    from rich.text import Text

    hints = get_type_hints(cls, include_extras=True)
    rows = [
        {"field": f.name, "type": _type(hints[f.name]), "default": _default(f)} for f in fields(cls)
    ]
    about, kind = getdoc(cls) or "", _kind(cls)
    lines = [f'use = "{name}"', *(_line(**row) for row in rows)]
    voice.give(
        {"name": name, "kind": kind, "about": about, "fields": rows},
        Text("\n".join([f"{name} ({translate(kind, voice.language)})", "", about, "", *lines])),
    )


def _line(field: str, type: str, default: str) -> str:
    """Return the line of a recipe that sets a field; a comment where there is nothing to copy."""
    return (
        f"# {field}: {type}, {default}" if default in (REQUIRED, NONE) else f"{field} = {default}"
    )


def _type(kind: Any) -> str:
    """Return a type as people write it, without the limits that are checked besides."""
    if get_origin(kind) is Annotated:
        return _type(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return " | ".join(_type(k) for k in get_args(kind))
    return "none" if kind is NoneType else formatannotation(kind).rpartition(".")[2]


def _default(field: "Field[Any]") -> str:
    """Return the default as a recipe spells it."""
    if field.default is MISSING and field.default_factory is MISSING:
        return REQUIRED
    value = field.default_factory() if field.default is MISSING else field.default  # type: ignore[misc]
    return _spelt(encode(value))


def _spelt(value: Any) -> str:
    if value is None:
        return NONE
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_spelt(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_spelt(v) for v in value) + "]"
    return str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')


def _table(entries: list[Entry], voice: Voice) -> object:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column(translate("name", voice.language), no_wrap=True)
    table.add_column(translate("kind", voice.language), no_wrap=True)
    table.add_column(translate("what it does", voice.language), overflow="fold")
    for entry in entries:
        table.add_row(entry.name, translate(entry.kind, voice.language), escape(entry.about))
    return table
