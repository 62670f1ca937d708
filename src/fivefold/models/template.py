"""A request written as JSON with a place for the inputs, and the path to the answers in what comes back."""

import json
import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

from torch import Tensor

from fivefold.core.codepoints import decode_texts
from fivefold.core.errors import BadInput
from fivefold.core.schema import Column, Schema

Filling: TypeAlias = Literal["$ROWS", "$RECORDS", "$ROW"]
FILLINGS: tuple[Filling, ...] = ("$ROWS", "$RECORDS", "$ROW")
_PLACE = re.compile(r'"(\$(?:ROWS|RECORDS|ROW))"|(\$(?:ROWS|RECORDS|ROW))\b')


class Template(NamedTuple):
    """A request, read: `filling` says what is put in the place of its name."""

    body: Any
    filling: Filling

    @property
    def is_single(self) -> bool:
        """Whether it asks about one input at a time."""
        return self.filling == "$ROW"

    def filled(self, x: Tensor, schema: Schema) -> Any:
        """Return the request for these inputs."""
        rows = rows_of(x, schema)
        if self.filling == "$RECORDS":
            names = schema.names()
            return _put(self.body, [dict(zip(names, row, strict=True)) for row in rows])
        return _put(self.body, rows[0] if self.is_single else rows)


def read_template(told: str, schema: Schema) -> Template:
    """Return the request that is written so.

    Raises:
        BadInput: It is not JSON, has no place for the inputs, or more than one kind of place.
    """
    found = {a or b for a, b in _PLACE.findall(told)}
    try:
        body = json.loads(_PLACE.sub(lambda m: f'"{m[1] or m[2]}"', told))
    except (ValueError, RecursionError) as error:
        raise _unreadable(str(error)) from error
    filling: Filling | None = next((f for f in FILLINGS if found == {f}), None)
    if filling is None:
        raise _unreadable(f"{len(found)} kinds of place for the inputs")
    if filling == "$RECORDS" and not schema.is_table:
        raise _unreadable("$RECORDS are rows of a table")
    return Template(body, filling)


def rows_of(x: Tensor, schema: Schema) -> list[Any]:
    """Return inputs as JSON has them: lists of values, strings, or nested lists of pixels.

    Categories are their own words, whole numbers are whole where they are, and what is missing is null.
    """
    if schema.is_text:
        return decode_texts(x)
    values = x.detach().cpu().tolist()
    if not schema.is_table:
        return values
    return [[_plain(v, c) for v, c in zip(row, schema.columns, strict=True)] for row in values]


def answers_at(told: Any, path: str, classes: Sequence[str]) -> Any:
    """Return what stands at `path`; an object with a number for each class becomes a list of these.

    Raises:
        KeyError: There is nothing there.
    """
    found = _walked(told, [p for p in path.split(".") if p])
    rows = found if isinstance(found, list) else [found]
    if classes and rows and all(isinstance(r, dict) and set(classes) <= r.keys() for r in rows):
        found = [[row[c] for c in classes] for row in rows]
    return found


def _walked(told: Any, path: list[str]) -> Any:
    for i, step in enumerate(path):
        if step == "*":
            if not isinstance(told, list):
                raise KeyError(step)
            return [_walked(one, path[i + 1 :]) for one in told]
        if isinstance(told, list) and step.isdecimal() and int(step) < len(told):
            told = told[int(step)]
        elif isinstance(told, dict) and step in told:
            told = told[step]
        else:
            raise KeyError(step)
    return told


def _plain(value: float, column: Column) -> Any:
    if value != value:
        return None
    if column.is_category:
        return column.categories[int(value)]
    return int(value) if column.kind == "integer" and value.is_integer() else float(f"{value:.7g}")


def _put(body: Any, rows: Any) -> Any:
    if isinstance(body, dict):
        return {k: _put(v, rows) for k, v in body.items()}
    if isinstance(body, list):
        return [_put(v, rows) for v in body]
    return rows if body in FILLINGS else body


def _unreadable(problem: str) -> BadInput:
    return BadInput(
        "This is not a request that can be filled in: {problem}.",
        where="--request",
        mend="Write JSON with $ROWS where a list of inputs belongs, $RECORDS for objects with a value per column, or $ROW for one input at a time.",
        problem=problem[:200],
    )
