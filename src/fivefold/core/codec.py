"""Dataclasses to plain tables and back. A name is an import path; nothing outside the allow-list is imported."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from inspect import isabstract, isclass
from math import isfinite
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from fivefold.core.errors import BadRecipe

T = TypeVar("T")
HOME = "fivefold"
LARGEST = 2**53  # beyond it a float cannot tell two whole numbers apart
_FREE = ConfigDict(arbitrary_types_allowed=True)


def encode(value: Any) -> Any:
    """Return `value` as TOML-ready data. A dataclass becomes a table with a `use` key; None is left out.

    Raises:
        TypeError: A field is None and is something else by default: left out, it would be read as that.
    """
    if is_dataclass(value) and not isinstance(value, type):
        shown = {f.name: encode(getattr(value, f.name)) for f in fields(value)}
        for f in fields(value):
            if shown[f.name] is None and f.default not in (None, MISSING):
                raise TypeError(f"{type(value).__name__}.{f.name} is None, which no table can say.")
        return {"use": name_of(type(value))} | {k: v for k, v in shown.items() if v is not None}
    if isinstance(value, Mapping):
        return {str(k): encode(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [encode(v) for v in value]
    return value


def decode(table: Any, kind: type[T], *, where: str = "", plugins: tuple[str, ...] = ()) -> T:
    """Rebuild what `encode` wrote.

    Args:
        table: A mapping with a `use` key and one entry per field.
        kind: What it must be: a base class or a runtime-checkable protocol.
        where: Place of the table in its file, for messages.
        plugins: Top-level packages outside `fivefold` that may be imported.

    Raises:
        BadRecipe: An unknown name, a misspelt field, a value of the wrong type, an import that is not allowed.
    """
    if not (isinstance(table, Mapping) and isinstance(table.get("use"), str)):
        raise BadRecipe(
            "A table with a `use` key is needed here.",
            where=_inside(where, "use") if isinstance(table, Mapping) else where,
            mend='Write it like {example}, see "fivefold list".',
            example='use = "learning.Finetune"',
        )
    cls = import_class(str(table["use"]), where=_inside(where, "use"), plugins=plugins)
    values = {str(k): v for k, v in table.items() if k != "use"}
    made = construct(cls, values, where=where, plugins=plugins)
    if not isinstance(made, kind):
        raise BadRecipe(
            "{name} is not a {kind}.",
            where=_inside(where, "use"),
            mend='See "fivefold list" for what can stand here.',
            name=str(table["use"]),
            kind=kind.__name__,
        )
    return made


def construct(
    cls: type[T], values: Mapping[str, Any], *, where: str, plugins: tuple[str, ...] = ()
) -> T:
    """Build the dataclass `cls` from plain values, checking each against its type.

    Raises:
        BadRecipe: A field is unknown, lacking, or of the wrong type.
    """
    known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]
    for name in values:
        if name not in known:
            raise _unknown_field(cls.__name__, name, list(known), where)
    lacking = [
        n for n, f in known.items()
        if n not in values and f.default is MISSING and f.default_factory is MISSING
    ]  # fmt: skip
    if lacking:
        raise BadRecipe(
            "{name} needs a value for {fields}.",
            where=where,
            mend="Add the missing line.",
            name=cls.__name__,
            fields=", ".join(lacking),
        )
    hints = get_type_hints(cls, include_extras=True)
    made = {n: _checked(v, hints[n], _inside(where, n), plugins) for n, v in values.items()}
    try:
        return cls(**made)
    except (ValueError, TypeError) as error:
        raise BadRecipe(
            "{problem}", where=where, mend="Change the value.", problem=str(error)
        ) from error


def import_class(name: str, *, where: str = "", plugins: tuple[str, ...] = ()) -> type:
    """Return the dataclass that `name` points at.

    `privacy.DPSGD` means `fivefold.privacy.DPSGD`; `acme.steps:Mine` is taken only if `acme` is among
    `plugins`.

    Raises:
        BadRecipe: Not allowed, not there, or not a finished dataclass defined in an allowed package.
    """
    module_name, _, attribute = name.rpartition(":" if ":" in name else ".")
    top = module_name.partition(".")[0]
    if ":" in name and top != HOME and top not in plugins:
        raise BadRecipe(
            "{name} is outside this package, and a recipe may not import it.",
            where=where,
            mend='If you trust it, add plugins = ["{top}"] at the top of the recipe.',
            name=name,
            top=top,
        )
    path = module_name if ":" in name else f"{HOME}.{module_name}"
    found = getattr(_module(path, name, where), attribute, None)
    if not (isclass(found) and is_dataclass(found) and not isabstract(found)):
        raise _unknown_name(name, path, attribute, where)
    if found.__module__.partition(".")[0] not in (HOME, *plugins):
        raise _unknown_name(name, path, attribute, where)
    return found


def name_of(cls: type) -> str:
    """Return the shortest name that `import_class` understands."""
    parts = cls.__module__.split(".")
    if parts[0] == HOME and len(parts) > 1:
        package = import_module(f"{HOME}.{parts[1]}")
        if getattr(package, cls.__name__, None) is cls:
            return f"{parts[1]}.{cls.__name__}"
    return f"{cls.__module__}:{cls.__qualname__}"


def _module(path: str, name: str, where: str) -> Any:
    try:
        return import_module(path)
    except (ImportError, ValueError) as error:
        if isinstance(error, ModuleNotFoundError) and not path.startswith(str(error.name)):
            raise BadRecipe(
                "{name} needs {module}, which is not installed.",
                where=where,
                mend="Install it.",
                name=name,
                module=str(error.name),
            ) from error
        raise _unknown_name(name, HOME, name, where) from error


def _unknown_name(name: str, path: str, attribute: str, where: str) -> BadRecipe:
    near = get_close_matches(attribute, _names_in(path), n=1, cutoff=0.5)
    mend = "Did you mean {near}?" if near else 'See "fivefold list" for what there is.'
    return BadRecipe(
        "There is no {name}.", where=where, mend=mend, name=name[:80], near=near[0] if near else ""
    )


def _names_in(path: str) -> list[str]:
    try:
        return [n for n in dir(import_module(path)) if n[:1].isupper()]
    except ImportError:
        return []


def _unknown_field(cls: str, name: str, known: list[str], where: str) -> BadRecipe:
    near = get_close_matches(name, known, n=1)
    mend = "Did you mean {near}? It has: {known}." if near else "It has: {known}."
    return BadRecipe(
        "{cls} has no field {name}.",
        where=_inside(where, name),
        mend=mend,
        cls=cls,
        name=name,
        near=near[0] if near else "",
        known=", ".join(known),
    )


def _checked(value: Any, hint: Any, where: str, plugins: tuple[str, ...]) -> Any:
    """Return `value` as `hint` wants it: nested tables built, lists as tuples, types checked."""
    shaped = _shaped(value, hint, where, plugins)
    try:
        return _adapter(hint).validate_python(shaped, strict=True)
    except ValidationError as error:
        raise _wrong_type(error.errors()[0], value, where) from error


@cache
def _adapter(hint: Any) -> TypeAdapter[Any]:
    config = None if is_dataclass(hint) else _FREE  # pydantic refuses one for a dataclass
    kind: Any = hint
    return TypeAdapter(kind, config=config)


def _wrong_type(first: ErrorDetails, value: Any, where: str) -> BadRecipe:
    return BadRecipe(
        "{value} does not fit here: {problem}.",
        where=where + "".join(f"[{p}]" for p in first["loc"] if isinstance(p, int)),
        mend="Change the value.",
        value=repr(value)[:80],
        problem=first["msg"],
    )


def _shaped(value: Any, hint: Any, where: str, plugins: tuple[str, ...]) -> Any:
    if isinstance(value, Mapping) and "use" in value:
        return decode(value, object, where=where, plugins=plugins)
    options = _options(hint)
    if isinstance(value, Mapping):
        nested = next((o for o in options if is_dataclass(o)), None)
        if nested is not None:
            return construct(nested, value, where=where, plugins=plugins)  # type: ignore[arg-type]
        inner = next((get_args(o)[1] for o in options if len(get_args(o)) == 2), Any)
        return {k: _shaped(v, inner, _inside(where, str(k)), plugins) for k, v in value.items()}
    if isinstance(value, list | tuple):
        inner = next((get_args(o)[0] for o in options if get_args(o)), Any)
        return tuple(_shaped(v, inner, f"{where}[{i}]", plugins) for i, v in enumerate(value))
    if isinstance(value, int) and abs(value) > LARGEST:
        raise BadRecipe(
            "{value} is too large.", where=where, mend="Change the value.", value=str(value)[:20]
        )
    if isinstance(value, float) and not isfinite(value):
        raise BadRecipe(
            "{value} is not a finite number.", where=where, mend="Change the value.", value=value
        )
    return value


def _options(hint: Any) -> tuple[Any, ...]:
    """Return the types that may stand here, without the ranges that `Annotated` adds to them."""
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return tuple(get_args(o)[0] if get_origin(o) is Annotated else o for o in options)


def _inside(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
