"""The small trees that a forest is cut into, and the table of Shapley values of each."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fivefold.explanation.trees.forest import Forest
from fivefold.explanation.trees.layout import NONE, Shape, layout
from fivefold.explanation.trees.leaf_tables import leaf_tables
from fivefold.explanation.trees.paths import Paths, Route, failures

TALL, MOST_BITS = 2, 10  # splits above one another in a small tree; bits of its index
AT_ONCE = 2**22  # numbers of leaf tables that are made at one time


class Extra(NamedTuple):
    """One more bit of the index of some cells: whether a row goes left at a split inside."""

    cell: Int[Tensor, " cells"]
    split: Int[Tensor, " cells"]
    weight: Int[Tensor, " cells"]


class Cells(NamedTuple):
    """Small trees of one shape, in the order in which a route comes to them.

    `leaves` are their leaves from left to right.
    """

    shape: Shape
    place: Int[Tensor, " cells"]
    leaves: list[Int[Tensor, " cells"]]


class Block(NamedTuple):
    """Tables of equal size; `target` says which feature and output each line of a table belongs to."""

    place: Int[Tensor, " cells"]
    table: Float[Tensor, "cells lines indices"]
    target: Int[Tensor, " cells*lines"]


def roots(
    forest: Forest, found: Paths, *, is_deep: Bool[Tensor, " nodes"]
) -> Bool[Tensor, " nodes"]:
    """Return which nodes are the roots of small trees; leaves that are deep are in none of them."""
    left, right = forest.left.clamp(min=0), forest.right.clamp(min=0)
    height = torch.where(is_deep, TALL + 1, 0)
    inner = torch.zeros_like(height)
    for level in reversed(found.levels):
        split = level[forest.left[level] >= 0]
        height[split] = 1 + torch.maximum(height[left[split]], height[right[split]])
        inner[split] = 1 + inner[left[split]] + inner[right[split]]
    is_small = (height <= TALL) & ((inner == 0) | (found.n_above + inner <= MOST_BITS))
    is_root = is_small & ~is_small[found.parent]
    is_root[found.levels[0]] = is_small[found.levels[0]]
    return is_root


def extras(forest: Forest, way: Route, found: Paths, place: Int[Tensor, " nodes"]) -> list[Extra]:
    """Return the bits of each index that the route does not tell; `place` is where turns are found."""
    cell = torch.nonzero(forest.left[way.nodes] >= 0)[:, 0]
    node = way.nodes[cell]
    next_bit = found.n_above[node]
    out: list[Extra] = []
    for asked in (node, forest.left[node], forest.right[node]):
        is_split = forest.left[asked] >= 0
        here = torch.nonzero(is_split)[:, 0]
        out.append(Extra(cell[here], place[asked[here]], 1 << next_bit[here]))
        next_bit = next_bit + is_split.long()
    return out


def indices(
    way: Route, more: list[Extra], left: Bool[Tensor, "splits rows"]
) -> Int[Tensor, "cells rows"]:
    """Return where each row is looked up in each table."""
    index = failures(way, left).long()
    for cell, split, weight in more:
        index.index_add_(0, cell, left.index_select(0, split) * weight[:, None])
    return index


def cells(forest: Forest, way: Route, found: Paths, player: Int[Tensor, " nodes"]) -> list[Cells]:
    """Return the small trees at the wanted nodes of the route, by their shape."""
    told, which = torch.unique(
        _shapes(forest, way.nodes, found, player), dim=0, return_inverse=True
    )
    out: list[Cells] = []
    for i, (count, slot, left, right, is_same) in enumerate(told.tolist()):
        place = torch.nonzero(which == i)[:, 0]
        shape = Shape(count, slot, left, right, bool(is_same))
        out.append(Cells(shape, place, _leaves(forest, way.nodes[place], shape)))
    return out


def _shapes(
    forest: Forest, node: Int[Tensor, " cells"], found: Paths, player: Int[Tensor, " nodes"]
) -> Int[Tensor, "cells parts"]:
    is_split = forest.left[node] >= 0
    children = [torch.where(is_split, c[node], node) for c in (forest.left, forest.right)]
    left, right = (_slot(forest, c, found) for c in children)
    asks = [player[c] for c in children]
    known = found.n_above[children[0]]
    is_same = (left == known) & (right == known) & (asks[0] == asks[1]) & is_split
    return torch.stack([found.n_above[node], _slot(forest, node, found), left, right, is_same], 1)


def _slot(forest: Forest, node: Int[Tensor, " some"], found: Paths) -> Int[Tensor, " some"]:
    return torch.where(forest.left[node] >= 0, found.slot[node], NONE)


def _leaves(forest: Forest, node: Int[Tensor, " cells"], shape: Shape) -> list[Tensor]:
    if shape.slot == NONE:
        return [node]
    out: list[Tensor] = []
    for slot, child in ((shape.left, forest.left[node]), (shape.right, forest.right[node])):
        out += [child] if slot == NONE else [forest.left[child], forest.right[child]]
    return out


class LeafTables(NamedTuple):
    """Tables of leaves by how many features they ask about; `row` is each leaf's place among its like."""

    of: dict[int, Float[Tensor, "leaves features sets"]]
    row: Int[Tensor, " nodes"]


def tables_of_leaves(
    found: Paths, leaf: Int[Tensor, " leaves"], failed: Int[Tensor, "leaves background"]
) -> LeafTables:
    """Return the tables of the leaves `leaf`, given what each background row fails there."""
    row = torch.zeros_like(found.n_above)
    count = found.n_above[leaf]
    of: dict[int, Tensor] = {}
    for n in count.unique().tolist():
        here = torch.nonzero(count == n)[:, 0]
        row[leaf[here]] = torch.arange(len(here))
        size = max(1, AT_ONCE // ((n + 1) * 2**n))
        of[n] = torch.cat([leaf_tables(failed[part], n) for part in here.split(size)])
    return LeafTables(of, row)


def blocks(forest: Forest, found: Paths, groups: list[Cells], single: LeafTables) -> list[Block]:
    """Return the tables of all small trees, those of equal size together."""
    sized: dict[tuple[int, int], list[Block]] = {}
    for group in groups:
        form = layout(group.shape)
        if form.n_players:
            made = _block(forest, found, group, single)
            sized.setdefault((form.n_players, form.n_bits), []).append(made)
    joined = [
        tuple(torch.cat(parts) for parts in zip(*made, strict=True)) for made in sized.values()
    ]
    return [Block(*parts) for parts in joined]


def _block(forest: Forest, found: Paths, group: Cells, single: LeafTables) -> Block:
    """Return the tables of small trees of one shape; they are many and small, and numpy is quick at that."""
    form, n_cells = layout(group.shape), len(group.place)
    n_outputs, n_raw = forest.value.shape[1], len(forest.base)
    table = np.zeros((n_cells, form.n_players, n_outputs, 2**form.n_bits))
    players = np.zeros((n_cells, form.n_players), dtype=np.int64)
    value, listed, row = forest.value.numpy(), found.players.numpy(), single.row.numpy()
    for spot, leaves in zip(form.spots, group.leaves, strict=True):
        leaf, n = leaves.numpy(), len(spot.places)
        unit = single.of[n].numpy()[row[leaf]]
        added = (unit[:, :, None] * value[leaf][:, None, :, None])[..., spot.failed.numpy()]
        table[:, : n - 1] += added[:, :-1]  # all but the last are in their places
        table[:, spot.places[-1]] += added[:, -1]
        players[:, spot.places] = listed[leaf, :n]
    outputs = forest.first[group.leaves[0]].numpy()[:, None] + np.arange(n_outputs)
    target = players[:, :, None] * n_raw + outputs[:, None]
    lines = table.reshape(n_cells, -1, 2**form.n_bits)
    return Block(group.place, torch.from_numpy(lines), torch.from_numpy(target.reshape(-1)))
