"""What may change, and to what: the schema's ranges, kinds and directions as bounds for each row."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fivefold.core.errors import BadInput
from fivefold.core.schema import Column, Schema


class Rules(NamedTuple):
    """Bounds of each row `x`: what it may become.

    `low` and `high` hold ranges and directions, whole for integers, and 0 to the last category.
    `is_free` is False where nothing may change.
    """

    x: Float[Tensor, "rows columns"]
    low: Float[Tensor, "rows columns"]
    high: Float[Tensor, "rows columns"]
    is_free: Bool[Tensor, "rows columns"]
    is_whole: Bool[Tensor, " columns"]
    is_category: Bool[Tensor, " columns"]

    def take(self, rows: Tensor | slice) -> "Rules":
        """Return the rules of these rows."""
        return self._replace(
            x=self.x[rows], low=self.low[rows], high=self.high[rows], is_free=self.is_free[rows]
        )

    def obeyed(self, tried: Float[Tensor, "rows some columns"]) -> Float[Tensor, "..."]:
        """Return the nearest allowed inputs. A value that is missing, or a category that does not exist, is the row's own."""
        x, low, high = self.x[:, None], self.low[:, None], self.high[:, None]
        whole = torch.where(self.is_whole, tried.round(), tried)
        is_odd = tried.isnan() | (self.is_category & ((tried < low) | (tried > high)))
        return torch.where(self.is_free[:, None] & ~is_odd, whole.clamp(low, high), x)

    def changed(self, tried: Float[Tensor, "rows some columns"]) -> Bool[Tensor, "..."]:
        """Return which values differ from the row's own; a gap that stays a gap does not."""
        x = self.x[:, None]
        return (tried != x) & ~(tried.isnan() & x.isnan())


class Actions(NamedTuple):
    """What the user adds to the schema: columns that stay, that may only rise, that may only fall."""

    fixed: tuple[str, ...] = ()
    rising: tuple[str, ...] = ()
    falling: tuple[str, ...] = ()


def rules_of(
    schema: Schema, x: Float[Tensor, "rows columns"], actions: Actions, way: Int[Tensor, " rows"]
) -> Rules:
    """Return what each row may become.

    Args:
        schema: Ranges and kinds. A column that the answer may only rise with is changed only in the
            direction that moves the answer the wanted way.
        x: The rows.
        actions: What else the user allows.
        way: 1 where the answer has to rise, -1 where it has to fall, 0 where neither.

    Raises:
        BadInput: `actions` name a column that does not exist, or a direction of a category.
    """
    _refuse_strangers(schema, actions)
    columns = [_bounds(c, x[:, i], actions, way) for i, c in enumerate(schema.columns)]
    low, high, is_free = (torch.stack(part, dim=1) for part in zip(*columns, strict=True))
    is_category = torch.tensor([c.is_category for c in schema.columns])
    is_whole = torch.tensor([c.kind != "number" for c in schema.columns])
    is_free = is_free & (low <= high)
    return Rules(x, low, torch.maximum(low, high), is_free, is_whole, is_category)


def is_allowed(
    schema: Schema,
    x: Float[Tensor, "rows columns"],
    answers: Float[Tensor, "rows some columns"],
    actions: Actions,
    way: Int[Tensor, " rows"],
) -> Bool[Tensor, "rows some"]:
    """Return whether each answer breaks no rule; asked of the schema anew, column by column."""
    good = torch.ones(answers.shape[:2], dtype=torch.bool)
    for i, column in enumerate(schema.columns):
        old, new = x[:, i, None], answers[:, :, i]
        stays = (old == new) | (old.isnan() & new.isnan())
        good &= stays | (_may_be(column, new) & _may_move(column, old, new, actions, way[:, None]))
    return good


def _may_be(column: Column, new: Tensor) -> Tensor:
    if column.is_category:
        return (new == new.round()) & (new >= 0) & (new < len(column.categories))
    good = new.isfinite()
    if column.kind == "integer":
        good = good & (new == new.round())
    if column.low is not None:
        good = good & (new >= torch.tensor(column.low))
    return good if column.high is None else good & (new <= torch.tensor(column.high))


def _may_move(column: Column, old: Tensor, new: Tensor, actions: Actions, way: Tensor) -> Tensor:
    if column.is_immutable or column.name in actions.fixed:
        return torch.zeros_like(new, dtype=torch.bool)
    only_up, only_down = _one_way(column, actions, way)
    return ~(only_up & ~(new > old)) & ~(only_down & ~(new < old))


def _one_way(column: Column, actions: Actions, way: Tensor) -> tuple[Tensor, Tensor]:
    """Return where a column may only rise, and where it may only fall."""
    trend = 0 if column.is_category else column.monotone
    only_up = (way * trend > 0) | (column.name in actions.rising)
    return only_up, (way * trend < 0) | (column.name in actions.falling)


def _bounds(
    column: Column, x: Float[Tensor, " rows"], actions: Actions, way: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the lowest and highest value of a column for each row, and whether it may change."""
    is_free = torch.full(x.shape, not (column.is_immutable or column.name in actions.fixed))
    if column.is_category:
        last = max(len(column.categories) - 1, 0)
        return torch.zeros_like(x), torch.full_like(x, last), is_free
    low = torch.full_like(x, -torch.inf if column.low is None else column.low)
    high = torch.full_like(x, torch.inf if column.high is None else column.high)
    only_up, only_down = _one_way(column, actions, way)
    low = torch.where(only_up, torch.maximum(low, x), low)
    high = torch.where(only_down, torch.minimum(high, x), high)
    is_free = is_free & ~((only_up | only_down) & x.isnan())  # nobody knows which way that goes
    if column.kind == "integer":
        low, high = low.ceil(), high.floor()
    return (
        low.nan_to_num(nan=0.0, posinf=torch.inf, neginf=-torch.inf),
        high.nan_to_num(nan=0.0, posinf=torch.inf, neginf=-torch.inf),
        is_free,
    )


def _refuse_strangers(schema: Schema, actions: Actions) -> None:
    known = {c.name: c for c in schema.columns}
    for name in (*actions.fixed, *actions.rising, *actions.falling):
        if name not in known:
            raise BadInput(
                "There is no column {column}.",
                mend="The columns are: {columns}.",
                column=name,
                columns=", ".join(known),
            )
    for name in (*actions.rising, *actions.falling):
        if known[name].is_category:
            raise BadInput(
                "{column} is a category, which neither rises nor falls.",
                mend="Name it among the fixed columns, or leave it out.",
                column=name,
            )
