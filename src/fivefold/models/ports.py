"""Named inputs and outputs, as exported models and served models have them."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from torch import Tensor

from fivefold.core.codepoints import decode_texts
from fivefold.core.errors import BadInput
from fivefold.core.schema import Column, Schema
from fivefold.models.answers import word_of

Values: TypeAlias = np.ndarray[Any, Any]
Feed: TypeAlias = Callable[[Tensor], dict[str, Values]]


class Port(NamedTuple):
    """One input: `shape` has the batch first; None where any size will do.

    Words are strings; `dtype` is how numbers are given.
    """

    name: str
    kind: Literal["number", "whole", "truth", "word"]
    shape: tuple[int | None, ...]
    dtype: str


def feeder(ports: Sequence[Port], schema: Schema, where: str) -> Feed:
    """Return how inputs of `schema` are given to `ports`: all in one, or each column to its own.

    Raises:
        BadInput: They do not fit together.
    """
    if schema.is_text or len(ports) == 1:
        if len(ports) != 1 or (schema.is_text and ports[0].kind != "word"):
            raise _misfit(ports, schema, where)
        return _whole(ports[0], schema, where)
    if not schema.is_table:
        raise _misfit(ports, schema, where)
    places = {c.name: i for i, c in enumerate(schema.columns)}
    places |= {re.sub(r"\W", "_", c.name): i for i, c in enumerate(schema.columns)}
    if not all(port.name in places for port in ports):
        raise _misfit(ports, schema, where)
    chosen = [(port, places[port.name]) for port in ports]
    return lambda x: {p.name: _column(x[:, i], p, schema.columns[i], where) for p, i in chosen}


def _whole(port: Port, schema: Schema, where: str) -> Feed:
    """Return how all of an example goes into one port."""
    shape = _example_shape(port, schema, where)
    if schema.is_text:
        return lambda x: {port.name: np.array(decode_texts(x), dtype=object).reshape(-1, *shape)}
    if port.kind == "word":
        columns = list(enumerate(schema.columns))
        return lambda x: {
            port.name: np.stack([_column(x[:, i], port, c, where) for i, c in columns], axis=1)
            .reshape(len(x), *shape)
        }  # fmt: skip
    return lambda x: {port.name: _cast(x.detach().cpu().numpy().reshape(-1, *shape), port, where)}


def _example_shape(port: Port, schema: Schema, where: str) -> tuple[int, ...]:
    """Return the shape of one example that the port takes: the data's own, or flat, or with ones.

    Raises:
        BadInput: The sizes differ.
    """
    wanted = port.shape[1:]
    own = () if schema.is_text else schema.shape
    flat = (schema.n_features,)
    for shape in (own, flat, (1,) if schema.is_text else own, *_with_ones(wanted, own)):
        fits = [w in (None, s) for w, s in zip(wanted, shape, strict=False)]
        if len(shape) == len(wanted) and all(fits):
            return shape
    raise _misfit([port], schema, where)


def _with_ones(wanted: Sequence[int | None], own: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return `own` with axes of length 1 left out or put first."""
    short = tuple(s for s in own if s != 1)
    return [short, (1,) * (len(wanted) - len(own)) + own]


def _column(values: Tensor, port: Port, column: Column, where: str) -> Values:
    """Return one column of inputs as the port takes it."""
    told = values.detach().cpu().numpy()
    if port.kind == "word":
        made: Any = np.array([_word(v, column) for v in told], dtype=object)
    elif column.is_category:
        made = _cast(_numeric(column, port, where)[_indices(told, column)], port, where)
    else:
        made = _cast(told, port, where)
    return made.reshape(-1, *[1] * (len(port.shape) - 1)) if len(port.shape) < 3 else made


def _indices(values: Values, column: Column) -> Values:
    return np.where(np.isnan(values), len(column.categories), values).astype(int)


def _numeric(column: Column, port: Port, where: str) -> Values:
    """Return the number that each category is, and last what missing is."""
    try:
        return np.array([*(float(c) for c in column.categories), np.nan])
    except ValueError as error:
        raise BadInput(
            "The input {name} takes numbers, and the column holds words such as {word}.",
            where=where,
            mend="Export the model with its preparation, so that it takes the words.",
            name=port.name,
            word=repr(column.categories[0])[:40],
        ) from error


def _word(value: Any, column: Column) -> str:
    if np.isnan(value):
        return ""
    return column.categories[int(value)] if column.is_category else word_of(float(str(value)))


def _cast(values: Values, port: Port, where: str) -> Values:
    if port.kind in ("whole", "truth") and np.isnan(values).any():
        raise BadInput(
            "The input {name} takes whole numbers, and a value is missing.",
            where=where,
            mend="Leave such rows out, or export the model with inputs of floats.",
            name=port.name,
        )
    rounded = np.round(values) if port.kind == "whole" else values
    return np.ascontiguousarray(rounded, dtype=port.dtype)


def _misfit(ports: Sequence[Port], schema: Schema, where: str) -> BadInput:
    known = ", ".join(c.name for c in schema.columns) or str(schema.shape)
    return BadInput(
        "The model takes {inputs}, and the data have {known}.",
        where=where,
        mend="Give data with these columns or this shape; one input takes all columns in their order, several are matched by name.",
        inputs=", ".join(f"{p.name} {p.kind} {_shown(p.shape)}" for p in ports)[:300],
        known=known[:300],
    )


def _shown(shape: Sequence[int | None]) -> str:
    return "x".join("n" if s is None else str(s) for s in shape)


def choose(outputs: Mapping[str, Any], n_rows: int, n_outputs: int, where: str) -> str:
    """Return the name of the output that answers the task.

    Raises:
        BadInput: There is none; labels alone are no answer.
    """
    for name, value in outputs.items():
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            return name  # a mapping of classes to probabilities for each row
    shapes = {(n_rows, n_outputs), *([(n_rows,), (n_rows, 1)] if n_outputs <= 2 else [])}
    arrays = {k: np.asarray(v) for k, v in outputs.items()}
    fits = [k for k, v in arrays.items() if v.dtype.kind == "f" and v.shape in shapes]
    fits.sort(key=lambda k: (arrays[k].shape != (n_rows, n_outputs), "prob" not in k.lower()))
    if fits:
        return fits[0]
    raise BadInput(
        "None of the outputs has a number for each of the {n} outputs of the task: there are {known}.",
        where=where,
        mend="Export the model with probabilities or logits; labels alone do not say how sure it is.",
        n=n_outputs,
        known=", ".join(f"{k} {v.dtype} {_shown(v.shape)}" for k, v in arrays.items())[:300],
    )
