"""Exact interventional Shapley values of a forest; the cost of a row does not grow with the background."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fivefold.core.progress import track
from fivefold.explanation.trees.cells import (
    MOST_BITS,
    Block,
    Extra,
    blocks,
    cells,
    extras,
    indices,
    roots,
    tables_of_leaves,
)
from fivefold.explanation.trees.deep import deep_values
from fivefold.explanation.trees.forest import Forest
from fivefold.explanation.trees.paths import Route, failures, paths, route, turns

NODES = 2**14  # of the trees whose tables exist at one time, unless one tree has more
ROOM = 2**24  # numbers in the tables of the leaves of those trees
ROWS = 1024  # looked up at one time
GATHERED = 2**18  # values that are looked up at one time


class Prepared(NamedTuple):
    """Tables of some trees for one background.

    Attributes:
        forest: The trees.
        way: How to come to the small trees.
        more: Bits of the indices that the way does not tell.
        blocks: Their tables.
        deep: Leaves without a table.
        deep_way: How to come to them.
        deep_failed: What each background row fails at each of them.
        players: Features that each of them asks about.
        base: Mean of the trees over the background.
    """

    forest: Forest
    way: Route
    more: list[Extra]
    blocks: list[Block]
    deep_way: Route
    deep_failed: Int[Tensor, "leaves background"]
    players: Int[Tensor, "leaves depth"]
    base: Float[Tensor, " outputs"]


class Values(NamedTuple):
    """Shapley values and the mean score that they start from."""

    values: Float[Tensor, "features outputs rows"]
    base: Float[Tensor, " outputs"]


def tree_values(
    forest: Forest,
    player: Int[Tensor, " nodes"],
    n_players: int,
    x: Int[Tensor, "views rows"],
    background: Int[Tensor, "views background"],
) -> Values:
    """Return the values of the rows with the codes `x`.

    Args:
        forest: The trees.
        player: The feature that each node asks about.
        n_players: How many features there are.
        x: Codes of the rows.
        background: Codes of the background rows.
    """
    n_outputs = len(forest.base)
    values = torch.zeros(n_players * n_outputs, x.shape[1], dtype=torch.float64)
    base = forest.base.clone()
    for part, players in track(list(_parts(forest, player)), "trees"):
        tables = prepared(part, players, background)
        base += tables.base
        for rows in torch.arange(x.shape[1]).split(ROWS):
            add_values(tables, x[:, rows], values[:, rows[0] : rows[-1] + 1])
    return Values(values.view(n_players, n_outputs, -1), base)


def prepared(
    forest: Forest, player: Int[Tensor, " nodes"], background: Int[Tensor, "views background"]
) -> Prepared:
    """Return the tables of a forest for a background."""
    found = paths(forest, player)
    place, left = turns(forest, background)
    is_leaf = forest.left < 0
    to_leaf = route(found, is_leaf, place)
    failed = failures(to_leaf, left)
    is_deep = is_leaf & (found.n_above > _most(found.n_above[is_leaf], forest.value.shape[1]))
    shallow = ~is_deep[to_leaf.nodes]
    single = tables_of_leaves(found, to_leaf.nodes[shallow], failed[shallow])
    way = route(found, roots(forest, found, is_deep=is_deep), place)
    deep_way = route(found, is_deep, place)
    return Prepared(
        forest,
        way,
        extras(forest, way, found, place),
        blocks(forest, found, cells(forest, way, found, player), single),
        deep_way,
        _ordered(failed, to_leaf.nodes, deep_way.nodes),
        found.players[deep_way.nodes],
        _mean(forest, to_leaf.nodes, failed),
    )


def add_values(
    tables: Prepared, codes: Int[Tensor, "views rows"], values: Float[Tensor, "lines rows"]
) -> None:
    """Add the trees' Shapley values of some rows to `values`, a line for each feature and output."""
    _, left = turns(tables.forest, codes)
    index = indices(tables.way, tables.more, left)
    for block in tables.blocks:
        _look_up(block, index, values)
    if len(tables.deep_way.nodes):
        _add_deep(tables, left, values)


def _look_up(block: Block, index: Int[Tensor, "cells rows"], values: Tensor) -> None:
    n_lines, n_rows = block.table.shape[1], index.shape[1]
    size = max(1, GATHERED // (n_lines * n_rows))
    for some in torch.arange(len(block.place)).split(size):
        here = slice(int(some[0]), int(some[-1]) + 1)
        where = index[block.place[here]][:, None].expand(-1, n_lines, -1)
        found = block.table[here].gather(2, where)
        target = block.target[here.start * n_lines : here.stop * n_lines]
        values.index_add_(0, target, found.flatten(0, 1))


def _add_deep(tables: Prepared, left: Bool[Tensor, "splits rows"], values: Tensor) -> None:
    failed, n_outputs = failures(tables.deep_way, left), len(tables.forest.base)
    leaves = zip(
        tables.deep_way.nodes.tolist(), failed, tables.deep_failed, tables.players, strict=True
    )
    for node, own, background, listed in leaves:
        players = listed[listed >= 0]
        unit = deep_values(own, background, len(players))
        first = int(tables.forest.first[node])
        for k, value in enumerate(tables.forest.value[node].tolist()):
            if value:
                values.index_add_(0, players * n_outputs + first + k, unit, alpha=value)


def _parts(
    forest: Forest, player: Int[Tensor, " nodes"]
) -> Iterator[tuple[Forest, Int[Tensor, " nodes"]]]:
    """Yield the trees, a few at a time."""
    ends = [*forest.root[1:].tolist(), len(forest.left)]
    start = first = 0
    for tree, end in enumerate(ends):
        is_last = tree + 1 == len(ends)
        if is_last or ends[tree + 1] - start > NODES:
            yield _slice(forest, start, end, forest.root[first : tree + 1]), player[start:end]
            start, first = end, tree + 1


def _slice(forest: Forest, start: int, end: int, root: Tensor) -> Forest:
    some = slice(start, end)
    return forest._replace(
        view=forest.view[some],
        rank=forest.rank[some],
        left=forest.left[some] - start,
        right=forest.right[some] - start,
        value=forest.value[some],
        first=forest.first[some],
        root=root - start,
    )


def _most(count: Int[Tensor, " leaves"], n_outputs: int) -> int:
    """Return how many features a leaf may ask about to have a table, so that all tables have room."""
    size = count * n_outputs * (1 << count.clamp(max=MOST_BITS))
    most = MOST_BITS
    while most and int(size[count <= most].sum()) > ROOM:
        most -= 1
    return most


def _ordered(
    failed: Int[Tensor, "leaves background"], nodes: Tensor, wanted: Tensor
) -> Int[Tensor, "wanted background"]:
    place = torch.zeros(int(nodes.max()) + 1, dtype=torch.int64)
    place[nodes] = torch.arange(len(nodes))
    return failed[place[wanted]]


def _mean(
    forest: Forest, leaf: Int[Tensor, " leaves"], failed: Int[Tensor, "leaves background"]
) -> Float[Tensor, " outputs"]:
    share = (failed == 0).double().mean(1)
    added = forest.value[leaf] * share[:, None]
    place = forest.first[leaf][:, None] + torch.arange(added.shape[1])
    return torch.zeros_like(forest.base).index_add_(0, place.flatten(), added.flatten())
