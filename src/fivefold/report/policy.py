"""A policy: limits that the bounds of a run's evidence must keep."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from fivefold.core.codec import construct
from fivefold.core.errors import BadRecipe
from fivefold.recipe.tomlfile import TomlFile, read_toml

RuleName: TypeAlias = Literal["at_least", "at_most", "max_drop", "max_rise"]
EVERY = "*"


@dataclass(frozen=True, kw_only=True)
class Limit:
    """What one number must keep, at the end of its interval that speaks against it.

    Attributes:
        evidence: `axis.name`, which means every setting, or `axis.name[setting]`.
        stage: Which stage; "*" is every stage that a step made, "" the policy's.
        at_least: The lower bound may not be below it.
        at_most: The upper bound may not be above it.
        max_drop: It may not fall by more, counted at the low end of the interval of the change.
        max_rise: It may not rise by more, counted at the high end of the interval of the change.
        against: Which stage drops and rises are counted from; "" is the one it started from.
        required: Whether a number that was not measured fails the gate. A broken limit always does.
    """

    evidence: str
    stage: str = ""
    at_least: float | None = None
    at_most: float | None = None
    max_drop: float | None = None
    max_rise: float | None = None
    against: str = ""
    required: bool = True

    @property
    def rules(self) -> dict[RuleName, float]:
        """The limits that were given."""
        given: dict[RuleName, float | None] = {
            "at_least": self.at_least, "at_most": self.at_most,
            "max_drop": self.max_drop, "max_rise": self.max_rise,
        }  # fmt: skip
        return {name: limit for name, limit in given.items() if limit is not None}


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Limits on the evidence of a run.

    Attributes:
        limits: What must be kept.
        stage: The stage that limits speak of if they name none; "" is the last of the run.
        file: Where it was read, for messages.
    """

    limits: tuple[Limit, ...]
    stage: str = ""
    file: TomlFile | None = field(default=None, compare=False, repr=False)

    def place(self, inner: str) -> str:
        """Return where in the policy `inner` stands."""
        return self.file.place(inner) if self.file else f"policy.{inner}"


def read_policy(path: Path) -> Policy:
    """Return the policy in a TOML file.

    Raises:
        BadRecipe: Not there, not TOML, a misspelt field, a value of the wrong type; says which line.
    """
    file = read_toml(path)
    try:
        return policy_from(file.table, file=file)
    except BadRecipe as error:
        raise error.at(file.place(error.where) if error.where else str(path)) from error


def policy_from(table: Mapping[str, Any], *, file: TomlFile | None = None) -> Policy:
    """Return the policy in a table (the `[policy]` of a recipe).

    Raises:
        BadRecipe: As `read_policy`, without the line.
    """
    limits = table.get("limits")
    if not (isinstance(limits, list | tuple) and limits):
        raise BadRecipe(
            "A policy without limits lets everything pass.",
            mend="Write each as [[limits]] with evidence = and at_least =, at_most =, max_drop = or max_rise =.",
        )
    rest = {k: v for k, v in table.items() if k != "limits"}
    made = tuple(_limit(limit, f"limits[{i}]") for i, limit in enumerate(limits))
    return _policy(rest, made, file)


def _policy(rest: Mapping[str, Any], limits: tuple[Limit, ...], file: TomlFile | None) -> Policy:
    for key, value in rest.items():
        if key != "stage" or not isinstance(value, str):
            raise BadRecipe(
                "A policy has no {key}.",
                where=key,
                mend="It has: {known}.",
                key=key,
                known='stage = "...", [[limits]]',
            )
    return Policy(limits=limits, stage=str(rest.get("stage", "")), file=file)


def _limit(table: Any, where: str) -> Limit:
    if not isinstance(table, Mapping):
        raise BadRecipe(
            "{value} is not a limit.", where=where, mend="Write [[limits]].", value=repr(table)[:80]
        )
    limit = construct(Limit, {str(k): v for k, v in table.items()}, where=where)
    if not limit.rules:
        raise BadRecipe(
            "This limit limits nothing.",
            where=where,
            mend="Add at_least =, at_most =, max_drop = or max_rise =.",
        )
    for rule in ("max_drop", "max_rise"):
        if limit.rules.get(rule, 0.0) < 0:
            raise BadRecipe(
                "{rule} cannot be negative.",
                where=f"{where}.{rule}",
                mend="Give the size of the largest change that is allowed.",
                rule=rule,
            )
    return limit
