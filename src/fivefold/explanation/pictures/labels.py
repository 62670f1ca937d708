"""Features with the values that were explained: "age = 40", "job = nurse", a word of a text."""

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.core.errors import BadInput
from fivefold.core.schema import Column
from fivefold.core.text import text
from fivefold.explanation.pictures.letters import number
from fivefold.explanation.pictures.view import View


def labels(view: View, features: list[int]) -> list[str]:
    """Return the features of one row with their values, where a feature is one column of a table."""
    raw = raw_values(view)
    told: list[str] = []
    for i in features:
        column = column_of(view, i)
        name = view.found.names[i]
        shown = (
            name
            if raw is None or column is None
            else f"{name} = {value_of(column, float(raw[0, i]))}"
        )
        told.append(shown)
    return told


def value_of(column: Column, value: float) -> str:
    """Return a value as people know it: the name of a category, a number, or a question mark."""
    if value != value:
        return "?"
    if column.is_category and value == int(value) and 0 <= value < len(column.categories):
        return column.categories[int(value)]
    return f"{value:g}" if value == int(value) and abs(value) < 1e6 else number(value)


def raw_values(view: View) -> Float[Tensor, "rows features"] | None:
    """Return the value of each feature; NaN where a feature is missing or several columns; None if not known."""
    found = view.found
    if found.x is None or found.schema is None or not found.schema.is_table:
        return None
    flat = found.x[list(view.rows)].flatten(1).double()
    member = found.groups.member
    raw = torch.full((len(flat), found.groups.n), torch.nan, dtype=torch.float64)
    for i in range(found.groups.n):
        places = (member == i).nonzero()[:, 0]
        if len(places) == 1:
            raw[:, i] = flat[:, places[0]]
    return raw


def column_of(view: View, feature: int) -> Column | None:
    """Return the column that a feature is; None if it is several, or no column."""
    schema = view.found.schema
    places = (view.found.groups.member == feature).nonzero()[:, 0].tolist()
    return schema.columns[places[0]] if schema and schema.columns and len(places) == 1 else None


def is_ordered(view: View, feature: int) -> bool:
    """Return whether the values of a feature lie in an order, so that a colour may rise with them."""
    column = column_of(view, feature)
    return column is not None and (not column.is_category or len(column.categories) == 2)


def place_of(view: View, feature: str | int) -> int:
    """Return the position of a feature.

    Raises:
        BadInput: There is none of this name, or not so many.
    """
    names = view.found.names
    if isinstance(feature, str) and feature in names:
        return names.index(feature)
    if isinstance(feature, int) and 0 <= feature < len(names):
        return feature
    raise BadInput(
        "There is no feature {name}.",
        where="feature",
        mend="There are: {known}.",
        name=str(feature),
        known=", ".join(names[:30]),
    )


def needs_inputs(view: View) -> Float[Tensor, "rows features"]:
    """Return the value of each feature.

    Raises:
        BadInput: They are not known.
    """
    raw = raw_values(view)
    if raw is None:
        raise BadInput(
            "This picture needs the values of the features, and the attribution does not hold them.",
            where="x",
            mend="Call found.with_inputs(model, x), or make it with fivefold.explanation.explain; the inputs must be a table.",
        )
    return raw


def rising_share(values: Float[Tensor, " rows"]) -> Float[Tensor, " rows"]:
    """Return where each value lies between the 5 % and the 95 % quantile, 0 to 1; NaN where it is missing."""
    known = values[~values.isnan()]
    if not len(known):
        return values
    low, high = (float(known.quantile(q)) for q in (0.05, 0.95))
    if high <= low:
        low, high = float(known.min()), float(known.max())
    return ((values - low) / (high - low if high > low else 1.0)).clamp(0, 1)


def missing_word(view: View) -> str:
    """Return what stands for a missing value."""
    return view.say(text("missing"))
