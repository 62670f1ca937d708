"""Rows as a fitted estimator knows them: its columns by name, its categories by their own words."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float
from torch import Tensor

from fivefold.core.codepoints import decode_texts
from fivefold.core.errors import BadInput
from fivefold.core.schema import Column, Schema
from fivefold.models.answers import word_of
from fivefold.models.inside import estimators_in

Read: TypeAlias = Callable[[Tensor], Any]
Values: TypeAlias = np.ndarray[Any, Any]


class Plan(NamedTuple):
    """How one column is told: its place, its name, and for a category the word of each index.

    The last word stands for a missing value. `known` are the values that an encoder was fitted on.
    """

    place: int
    name: str
    words: Values | None
    known: Values | None


def reader(estimator: Any, schema: Schema) -> Read:
    """Return how the inputs of `schema` are given to `estimator`.

    A frame with its own columns in its own order if it was fitted on named columns; an array of numbers
    and words if its encoders know words; an array of numbers otherwise; for texts, a list of strings.

    Raises:
        BadInput: It was fitted on columns that the data do not have.
    """
    if schema.is_text:
        return decode_texts
    if not schema.is_table:
        return _numbers
    own = _own_names(estimator)
    names = own or [c.name for c in schema.columns]
    known = _known_categories(estimator, names)
    plans = [_plan(name, schema, known.get(i)) for i, name in enumerate(names)]
    if own and _takes_frames(estimator):
        return lambda x: _frame(x, plans)
    if any(values.dtype.kind in "OU" for values in known.values()):
        return lambda x: np.stack([_told(x, p).astype(object) for p in plans], axis=1)
    return lambda x: _numbers(x)[:, [p.place for p in plans]]


def _own_names(estimator: Any) -> list[str]:
    """Return the columns that the estimator was fitted on, or none if it was fitted on an array."""
    names = [str(n) for n in getattr(estimator, "feature_names_in_", ())]
    is_made_up = names == [f"Column_{i}" for i in range(len(names))]  # LightGBM names arrays so
    return [] if is_made_up else names


def _takes_frames(estimator: Any) -> bool:
    return type(estimator).__module__.startswith("sklearn.")


def _plan(name: str, schema: Schema, known: Values | None) -> Plan:
    places = {c.name: i for i, c in enumerate(schema.columns)}
    if name not in places:
        places |= {c.name.replace(" ", "_"): i for i, c in enumerate(schema.columns)}  # LightGBM
    if name not in places:
        raise BadInput(
            "The model was fitted on a column {name}, and the data have none.",
            mend="Give the data it was fitted on. They have: {known}.",
            name=name,
            known=", ".join(places)[:200],
        )
    index = places[name]
    column = schema.columns[index]
    return Plan(index, name, _words(column, known) if column.is_category else None, known)


def _words(column: Column, known: Values | None) -> Values:
    """Return what each index of a category means to the estimator, and last what missing means."""
    if known is not None:
        own = {word_of(v): v for v in known.tolist()}
        missing = None if None in known.tolist() else np.nan
        return _objects([*(own.get(c, c) for c in column.categories), missing])
    try:
        return np.array([*(float(c) for c in column.categories), np.nan])
    except ValueError:
        return _objects([*column.categories, np.nan])


def _objects(values: Sequence[Any]) -> Values:
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made


def _told(x: Tensor, plan: Plan) -> Values:
    """Return one column as the estimator knows it."""
    values = x[:, plan.place].detach().cpu().numpy()
    if plan.words is not None:
        return plan.words[np.where(np.isnan(values), len(plan.words) - 1, values).astype(int)]
    if plan.known is None:
        return values.astype(np.float64)
    own = {word_of(v): v for v in plan.known.tolist()}
    exact = [float(str(v)) for v in values]  # the decimal that was rounded to 32 bits
    return _objects([own.get(word_of(v), v) for v in exact])


def _frame(x: Tensor, plans: Sequence[Plan]) -> Any:
    import polars as pl

    return pl.DataFrame([_series(p.name, _told(x, p)) for p in plans])


def _series(name: str, values: Values) -> Any:
    import polars as pl

    if values.dtype != object:
        return pl.Series(name, values)
    told: list[Any] = values.tolist()
    kinds = {type(v) for v in told}
    if kinds <= {str, type(None)}:
        return pl.Series(name, told, dtype=pl.String)
    if kinds <= {int, float}:
        return pl.Series(name, told, dtype=pl.Float64, strict=False)
    return pl.Series(name, told, dtype=pl.Boolean if kinds <= {bool} else pl.Object)


def _numbers(x: Tensor) -> Float[Values, "batch columns"]:
    return x.detach().cpu().flatten(1).numpy()


def _known_categories(estimator: Any, names: Sequence[str]) -> dict[int, Values]:
    """Return the values that encoders were fitted on, by the place of their column among `names`."""
    found: dict[int, Values] = {}
    parts = list(estimators_in(estimator))
    for part in parts:
        chosen = getattr(part, "_transformer_to_input_indices", None)
        if chosen is None or getattr(part, "n_features_in_", -1) != len(names):
            continue
        for name, inner, _ in part.transformers_:
            found |= _encoded(inner, list(chosen.get(name, ())))
    return found or _encoded(parts, list(range(len(names))))


def _encoded(inner: Any, places: list[int]) -> dict[int, Values]:
    """Return the categories of the first encoder in `inner` that reads as many columns as `places`."""
    for part in estimators_in(inner):
        categories = getattr(part, "categories_", None)
        if isinstance(categories, list) and len(categories) == len(places) > 0:
            return dict(zip(places, map(np.asarray, categories), strict=True))
    return {}
