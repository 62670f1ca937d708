"""Hide features: keep some of an example, and take the rest from background rows (Strumbelj and Kononenko, 2010)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fivefold.core.errors import BadInput, NotMeasurable, no_text
from fivefold.core.limits import Count, Natural
from fivefold.core.schema import Schema
from fivefold.perturb.behind import Behind
from fivefold.perturb.one_hot import one_hot_columns
from fivefold.perturb.room import in_parts

Score: TypeAlias = Callable[[Tensor], Float[Tensor, "batch outputs"]]
CELLS = 2**20  # values of masked inputs that exist at one time


class Groups(NamedTuple):
    """What counts as one feature.

    `member` tells the feature of each value of a flattened example; `shape` is how the features lie:
    `(features,)` for a table, `(rows, columns)` of patches for an image.
    """

    names: tuple[str, ...]
    member: Int[Tensor, " values"]
    shape: tuple[int, ...]

    @property
    def n(self) -> int:
        """Number of features."""
        return len(self.names)


@dataclass(frozen=True, kw_only=True)
class Features:
    """Which values are kept or hidden together.

    Attributes:
        grid: An image is cut into this many rows and columns of patches (at most one per pixel).
        together: Names of table columns that are one feature, for each such feature.
        one_hot: Whether columns that are one category between them are one feature: neighbours whose names
            begin alike, if the schema says that they are 0 or 1 (perturb.one_hot_columns looks at rows).
        pieces: An image is cut along its colours into about so many superpixels instead of patches, one
            image at a time; 0 keeps the patches.
    """

    grid: Count = 4
    together: tuple[tuple[str, ...], ...] = ()
    one_hot: bool = False
    pieces: Natural = 0

    def of(self, schema: Schema) -> Groups:
        """Return the features of these inputs.

        Raises:
            BadInput: `together` names a column that does not exist, or one column twice.
            NotMeasurable: They are texts, or each image has pieces of its own.
        """
        if schema.is_text:
            raise no_text("Hiding columns or patches")
        if not schema.is_table:
            _refuse_pieces(self.pieces)
            return _patches(schema, self.grid)
        if not self.one_hot:
            return _columns(schema, self.together)
        named = {name for names in self.together for name in names}
        found = [o for o in one_hot_columns(schema) if named.isdisjoint(o.columns)]
        groups = _columns(schema, (*self.together, *(o.columns for o in found)))
        short = {" + ".join(o.columns): o.name for o in found}
        return groups._replace(names=tuple(short.get(n, n) for n in groups.names))


def mean_score(
    score: Score,
    x: Float[Tensor, "rows ..."],
    background: Float[Tensor, "background ..."] | Behind,
    keep: Bool[Tensor, "rows masks features"],
    groups: Groups,
    *,
    draws: Int[Tensor, "masks draws"] | None = None,
    cells: int = CELLS,
) -> Float[Tensor, "rows masks outputs"]:
    """Return the mean score of each example under each mask.

    What is hidden comes from the background, one row at a time, so that values which belong together
    stay together; NaN is a value like any other.

    Args:
        score: What is averaged; takes inputs `(batch, ...)`.
        x: The examples.
        background: Rows that hidden features are taken from, or what else stands behind them.
        keep: Which features stay; expand the first axis to share masks between examples.
        groups: Which values each feature is made of.
        draws: Which background rows each mask uses; all of them by default.
        cells: Most values of masked inputs at one time; changes memory, not the result.
    """
    behind = background if isinstance(background, Behind) else Behind(background)
    n_rows, n_masks = keep.shape[:2]
    if draws is None:
        draws = torch.arange(len(behind.rows)).expand(n_masks, -1)
    if not n_rows * n_masks:
        return torch.zeros(n_rows, n_masks, score(x).shape[1], dtype=torch.float64)
    flat = x.flatten(1)

    def answered(some: Tensor) -> Tensor:
        mask, row = (
            some // n_rows,
            some % n_rows,
        )  # equal masks side by side: what is made for one serves all
        kept = keep[row, mask][:, groups.member]  # (pairs, values)
        hidden = behind.of(flat[row], kept, draws[mask])
        mixed = torch.where(kept[:, None], flat[row][:, None], hidden.values)
        scores = score(mixed.flatten(0, 1).unflatten(1, x.shape[1:])).double()
        return hidden.mean(scores.unflatten(0, (len(some), -1)))

    pairs, size = torch.arange(n_rows * n_masks), cells // (draws.shape[1] * flat.shape[1])
    found = torch.cat(list(in_parts(answered, pairs, size)))
    return found.unflatten(0, (n_masks, n_rows)).transpose(0, 1)


def _refuse_pieces(pieces: int) -> None:
    if pieces:
        raise NotMeasurable(
            "Each image has superpixels of its own, which are not known before it is seen.",
            mend="Set `pieces` to 0: patches are the same for all images.",
        )


def _columns(schema: Schema, together: tuple[tuple[str, ...], ...]) -> Groups:
    position = {name: i for i, name in enumerate(schema.names())}
    listed = [name for names in together for name in names]
    for name in listed:
        if name not in position or listed.count(name) > 1:
            raise BadInput(
                "Column {column} cannot be grouped: it must exist and be named once.",
                where="together",
                mend="The columns are: {columns}.",
                column=name,
                columns=", ".join(position),
            )
    sets = [*together, *((n,) for n in position if n not in listed)]
    sets.sort(key=lambda names: min(position[n] for n in names))
    member = torch.zeros(len(position), dtype=torch.int64)
    for group, names in enumerate(sets):
        member[[position[n] for n in names]] = group
    return Groups(tuple(" + ".join(s) for s in sets), member, (len(sets),))


def _patches(schema: Schema, grid: int) -> Groups:
    channels, height, width = schema.shape
    down, across = min(grid, height), min(grid, width)
    row = torch.arange(height) * down // height
    column = torch.arange(width) * across // width
    member = (row[:, None] * across + column).expand(channels, -1, -1)
    names = tuple(f"{i},{j}" for i in range(down) for j in range(across))
    return Groups(names, member.flatten(), (down, across))
