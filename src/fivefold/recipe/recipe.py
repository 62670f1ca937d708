"""A recipe: data, model, ordered steps and probes. It is data, never code."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from fivefold.core.codec import decode, encode
from fivefold.core.errors import BadRecipe
from fivefold.core.model import Architecture
from fivefold.core.probe import Comparison, Probe
from fivefold.core.source import Source
from fivefold.core.step import Step
from fivefold.recipe.presets import PRESETS, Preset
from fivefold.recipe.stage import START
from fivefold.recipe.tomlfile import TomlFile, check_plain, read_toml

T = TypeVar("T")
DEVICES = frozenset(  # no file can be called so on Windows
    ("CON", "PRN", "AUX", "NUL", *(f"{port}{i}" for port in ("COM", "LPT") for i in range(1, 10)))
)
KEYS = ("name", "seed", "plugins", "preset", "data", "model", "steps", "probes", "comparisons", "policy")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A step with its place in the tree.

    Attributes:
        name: Name of the stage that it makes.
        after: Name of the stage that it starts from.
        step: What is done.
    """

    name: str
    after: str
    step: Step


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides the outcome of a run.

    Attributes:
        name: Name of the run folder.
        data: Where examples come from.
        model: How a fresh network is built.
        steps: A tree: each step names the stage that it starts from.
        probes: What is measured at every stage.
        comparisons: What is measured between a stage and the one it started from.
        seed: Decides everything random that is not secret.
        plugins: Packages outside this one that the recipe may import.
        policy: Limits for the gate, as a table.
        folder: What relative paths of the data are relative to.
    """

    name: str
    data: Source
    model: Architecture
    steps: tuple[Planned, ...]
    probes: tuple[Probe, ...]
    comparisons: tuple[Comparison, ...] = ()
    seed: int = 0
    plugins: tuple[str, ...] = ()
    policy: Mapping[str, Any] = field(default_factory=dict[str, Any])
    folder: Path = Path()

    def table(self) -> dict[str, Any]:
        """Return the recipe as TOML-ready data, every default written out."""
        return {
            "name": self.name,
            "seed": self.seed,
            "plugins": list(self.plugins),
            "preset": "none",
            "data": encode(self.data),
            "model": encode(self.model),
            "steps": [{"name": p.name, "after": p.after} | encode(p.step) for p in self.steps],
            "probes": [encode(p) for p in self.probes],
            "comparisons": [encode(c) for c in self.comparisons],
            "policy": dict(self.policy),
        }


def read_recipe(path: Path) -> Recipe:
    """Return the recipe in a TOML file.

    Raises:
        BadRecipe: Anything in it is unknown, misspelt, of the wrong type or not allowed; says which line.
    """
    file = read_toml(path)
    try:
        return recipe_from(file.table, default_name=path.stem, folder=path.parent)
    except BadRecipe as error:
        raise error.at(_place(file, error.where)) from error


def recipe_from(
    table: Mapping[str, Any], *, default_name: str = "run", folder: Path = Path()
) -> Recipe:
    """Return the recipe in a table.

    Raises:
        BadRecipe: As `read_recipe`, without the line.
    """
    check_plain(table)
    for key in table:
        if key not in KEYS:
            raise BadRecipe(
                "A recipe has no {key}.", where=key or '""', mend="It has: {known}.", key=key, known=", ".join(KEYS)
            )  # fmt: skip
    plugins = tuple(_list_of(table, "plugins", str))
    preset = PRESETS[_preset_of(table)]()
    probes = [
        _part(t, Probe, f"probes[{i}]", plugins)
        for i, t in enumerate(_list_of(table, "probes", dict))
    ]
    compared = [
        _part(t, Comparison, f"comparisons[{i}]", plugins)
        for i, t in enumerate(_list_of(table, "comparisons", dict))
    ]
    return Recipe(
        name=_name_of(table.get("name", default_name), "name"),
        data=_part(_needed(table, "data"), Source, "data", plugins),
        model=_part(_needed(table, "model"), Architecture, "model", plugins),
        steps=_steps(_list_of(table, "steps", dict), plugins),
        probes=_merged(preset.probes, probes),
        comparisons=_merged(preset.comparisons, compared),
        seed=_one_of(table, "seed", int, 0),
        plugins=plugins,
        policy=_one_of(table, "policy", dict, {}),
        folder=folder,
    )


def _steps(tables: list[dict[str, Any]], plugins: tuple[str, ...]) -> tuple[Planned, ...]:
    steps: list[Planned] = []
    for i, table in enumerate(tables):
        where, known = f"steps[{i}]", [START, *(s.name for s in steps)]
        rest = {k: v for k, v in table.items() if k not in ("name", "after")}
        step = _part(rest, Step, where, plugins)
        name = _name_of(
            table.get("name", f"{i + 1}-{type(step).__name__.lower()}"), f"{where}.name"
        )
        after = table.get("after", known[-1])
        if name in known:
            raise BadRecipe(
                "There are two stages called {name}.", where=f"{where}.name", mend="Rename one.", name=name
            )  # fmt: skip
        if after not in known:
            raise BadRecipe(
                "No stage before this one is called {after}.",
                where=f"{where}.after",
                mend="It may start from: {known}.",
                after=str(after)[:80],
                known=", ".join(known),
            )
        steps.append(Planned(name=name, after=after, step=step))
    return tuple(steps)


def _merged(preset: tuple[T, ...], own: list[T]) -> tuple[T, ...]:
    """Return the preset with the recipe's own parts; one of the same class takes the place of the preset's."""
    kinds = {type(p) for p in preset}
    mine = [p for of in preset for p in ([o for o in own if type(o) is type(of)] or [of])]
    return (*mine, *(p for p in own if type(p) not in kinds))


def _part(table: Any, kind: type[T], where: str, plugins: tuple[str, ...]) -> T:
    return decode(table, kind, where=where, plugins=plugins)


def _needed(table: Mapping[str, Any], key: str) -> Any:
    if key not in table:
        raise BadRecipe(
            "The recipe has no [{key}].",
            where=key,
            mend='Add it; "fivefold init" writes an example.',
            key=key,
        )
    return table[key]


def _one_of(table: Mapping[str, Any], key: str, kind: type[T], default: T) -> T:
    value = table.get(key, default)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise BadRecipe(
            "{key} must be of the type {kind}.",
            where=key,
            mend="Change the value.",
            key=key,
            kind=kind.__name__,
        )
    return value


def _list_of(table: Mapping[str, Any], key: str, kind: type[T]) -> list[T]:
    values = _one_of(table, key, list, [])
    for i, value in enumerate(values):
        if not isinstance(value, kind):
            raise BadRecipe(
                "{key} must be of the type {kind}.",
                where=f"{key}[{i}]",
                mend="Change the value.",
                key=key,
                kind=kind.__name__,
            )
    return values


def _preset_of(table: Mapping[str, Any]) -> Preset:
    value = table.get("preset", "quick")
    if not isinstance(value, str) or value not in PRESETS:
        raise BadRecipe(
            "There is no preset {value}.",
            where="preset",
            mend="It may be: {known}.",
            value=str(value)[:80],
            known=", ".join(PRESETS),
        )
    return cast(Preset, value)


def is_name(text: str) -> bool:
    """Return whether a run or a stage may be called so: a folder of that name can be made and named everywhere."""
    is_plain = 0 < len(text) <= 60 and all(c.isalnum() or c in "-_" for c in text)
    return is_plain and not text.startswith("-") and text.upper() not in DEVICES


def _name_of(value: Any, where: str) -> str:
    text = value if isinstance(value, str) else ""
    if not is_name(text):
        raise BadRecipe(
            "{value} cannot be a name.",
            where=where,
            mend="Use 1 to 60 letters, digits, - and _, beginning with no -; CON, NUL and the like are taken.",
            value=repr(value)[:80],
        )
    return text


def _place(file: TomlFile, inner: str) -> str:
    return file.place(inner) if inner else str(file.path)
