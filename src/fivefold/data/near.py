"""Near copies across splits: found by sorting one projection, so that few pairs need comparing."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fivefold.core.schema import Schema
from fivefold.core.text import Text, text
from fivefold.data.split import Rows

CLOSE_IN_TABLE = 1e-3  # in units of each column
CLOSE_IN_IMAGE = 2 / 255
MOST_WORK = 3 * 10**8  # values compared, some seconds
BLOCK = 2**20


def near_copies(x: Tensor, schema: Schema, rows: Rows) -> tuple[Text, ...]:
    """Return a note on how many examples of valid and test nearly equal one of train.

    Near: every value within a thousandth of its column's scale (categories equal), or every pixel
    within 2/255. They are noted, never removed: in a table of few columns they may be plain chance.
    Of texts nothing is said here: near characters are no near words.
    """
    if schema.is_text:
        return ()
    close = CLOSE_IN_TABLE if schema.is_table else CLOSE_IN_IMAGE
    scaled = _scaled(x, schema)
    found = has_near(scaled[torch.cat([rows.valid, rows.test])], scaled[rows.train], close)
    if found is None:
        return (text("Near copies between the splits were not looked for: too many pairs."),)
    if n := int(found.sum()):
        return (text("{n} examples of valid and test are nearly equal to one in train.", n=n),)
    return ()


def has_near(
    asked: Float[Tensor, "asked value"], known: Float[Tensor, "known value"], close: float
) -> Bool[Tensor, " asked"] | None:
    """Return whether each row of `asked` has one in `known` within `close` in every value.

    Two such rows differ by at most `close` in their mean, and in any one value. So known rows are sorted
    by whichever of mean and most spread value leaves fewer neighbours, and only these are compared.
    Exact. None if that would still be more than `MOST_WORK` values.
    """
    widest = int(known.std(dim=0, correction=0).argmax())
    options = [
        _neighbours(_mean(asked), _mean(known), close),
        _neighbours(asked[:, widest], known[:, widest], close),
    ]
    order, first, count = min(options, key=lambda o: int(o.number.sum()))
    if int(count.sum()) * known.shape[1] > MOST_WORK:
        return None
    found = torch.zeros(len(asked), dtype=torch.bool)
    for i, k in _pairs(first, count, BLOCK):
        j = order[k]
        may = (asked[i, widest] - known[j, widest]).abs() <= close
        i, j = i[may], j[may]
        for part in torch.arange(len(i)).split(max(BLOCK // known.shape[1], 1)):
            gap = (asked[i[part]] - known[j[part]]).abs().amax(dim=1)
            found[i[part][gap <= close]] = True
    return found


class _Neighbours(NamedTuple):
    """For each row asked: `number` known rows, from place `first` in their sorted `order`."""

    order: Tensor
    first: Tensor
    number: Tensor


def _neighbours(asked: Tensor, known: Tensor, close: float) -> _Neighbours:
    key, order = known.double().sort()
    slack = close * (1 + 1e-6) + 1e-9 + 1e-7 * asked.double().abs()  # for rounding
    first = torch.searchsorted(key, asked.double() - slack)
    last = torch.searchsorted(key, asked.double() + slack, right=True)
    return _Neighbours(order, first, last - first)


def _mean(rows: Tensor) -> Tensor:
    return rows.mean(dim=1, dtype=torch.float64)


def _pairs(first: Tensor, count: Tensor, block: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield row numbers of pairs in blocks: each `i` with `first[i]`, `first[i] + 1`, ..."""
    ends = count.cumsum(0)
    total = int(ends[-1]) if len(ends) else 0
    for start in range(0, total, block):
        pair = torch.arange(start, min(start + block, total))
        i = torch.searchsorted(ends, pair, right=True)
        yield i, first[i] + pair - (ends[i] - count[i])


def _scaled(x: Tensor, schema: Schema) -> Tensor:
    """Return examples in units of their columns; a missing value equals only another, as categories do."""
    if not schema.is_table:
        return x.flatten(1)
    unit = torch.tensor([1.0 if c.is_category else c.scale for c in schema.columns])
    center = torch.tensor([0.0 if c.is_category else c.center for c in schema.columns])
    return ((x - center) / unit).nan_to_num(-1e6)
