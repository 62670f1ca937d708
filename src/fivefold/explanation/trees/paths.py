"""The way from each root to each leaf, and which features a row fails on it."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from torch.nn.functional import pad

from fivefold.core.errors import NotMeasurable
from fivefold.explanation.trees.forest import Forest, goes_left

WORD = 62  # features on one path: their failures are bits of one number


class Paths(NamedTuple):
    """What lies above each node of some trees.

    Attributes:
        levels: Nodes by depth, roots first.
        parent: Parent of each node; roots have none.
        is_left: Whether a node is its parent's left child.
        players: Features asked about above each node in the order of their bits; -1 where there are no more.
        n_above: How many features are asked about above each node.
        slot: Bit of the feature that each node splits; `n_above` if it is asked about for the first time.
            Counted along the path, so that all leaves below a node agree on it.
    """

    levels: list[Int[Tensor, " some"]]
    parent: Int[Tensor, " nodes"]
    is_left: Bool[Tensor, " nodes"]
    players: Int[Tensor, "nodes depth"]
    n_above: Int[Tensor, " nodes"]
    slot: Int[Tensor, " nodes"]


def paths(forest: Forest, player: Int[Tensor, " nodes"]) -> Paths:
    """Return what lies above each node; `player` is the feature that each node asks about."""
    n = len(forest.left)
    parent, slot = torch.zeros(n, dtype=torch.int64), torch.zeros(n, dtype=torch.int64)
    is_left = torch.zeros(n).bool()
    players = torch.full((n, 1), -1)
    levels = [forest.root]
    while True:
        inner = levels[-1][forest.left[levels[-1]] >= 0]
        if not len(inner):
            count = (players >= 0).sum(1)
            return Paths(levels, parent, is_left, players, count, slot)
        slot[inner], grown = _joined(players[inner], player[inner])
        players = pad(players, (0, grown.shape[1] - players.shape[1]), value=-1)
        for child in (forest.left[inner], forest.right[inner]):
            parent[child], players[child] = inner, grown
        is_left[forest.left[inner]] = True
        levels.append(torch.cat([forest.left[inner], forest.right[inner]]))


class Route(NamedTuple):
    """How to come to some nodes: the branches of each depth that lead there, and where they are found.

    Attributes:
        levels: Branches of each depth.
        above: Place of each branch's parent in the level before.
        split: Place of each branch's parent among the splits.
        wanted: Places of the wanted nodes in each level.
        nodes: The wanted nodes in the order in which they are found.
        kind: Type of number that holds the bits.
    """

    above: list[Int[Tensor, " branches"]]
    split: list[Int[Tensor, " branches"]]
    is_left: list[Bool[Tensor, " branches"]]
    bit: list[Int[Tensor, " branches"]]
    wanted: list[Int[Tensor, " some"]]
    nodes: Int[Tensor, " wanted"]
    n_roots: int
    kind: torch.dtype


def route(found: Paths, wanted: Bool[Tensor, " nodes"], place: Int[Tensor, " nodes"]) -> Route:
    """Return how to come to the `wanted` nodes; `place` is where each split's turns are found."""
    leads = wanted.clone()
    for level in reversed(found.levels[1:]):
        leads[found.parent[level[leads[level]]]] = True
    leads[found.levels[0]] = True
    deepest = int(found.n_above[wanted].max()) if bool(wanted.any()) else 0
    kind = torch.int16 if deepest < 15 else torch.int64
    position = torch.zeros_like(found.parent)
    steps, targets, nodes = [], [], []
    for depth, level in enumerate(found.levels):
        kept = level[leads[level]]
        if depth:
            up = found.parent[kept]
            bit = (1 << found.slot[up]).to(kind)
            steps.append((position[up], place[up], found.is_left[kept], bit))
        position[kept] = torch.arange(len(kept))
        targets.append(torch.nonzero(wanted[kept])[:, 0])
        nodes.append(kept[targets[-1]])
    above, split, side, bit = ([s[i] for s in steps] for i in range(4))
    return Route(above, split, side, bit, targets, torch.cat(nodes), len(found.levels[0]), kind)


def failures(way: Route, left: Bool[Tensor, "splits rows"]) -> Int[Tensor, "wanted rows"]:
    """Return, as bits, the features above each wanted node that each row fails; 0 if it comes there."""
    failed = torch.zeros(way.n_roots, left.shape[1], dtype=way.kind)
    out = [failed[way.wanted[0]]]
    steps = zip(way.above, way.split, way.is_left, way.bit, way.wanted[1:], strict=True)
    for above, split, is_left, bit, wanted in steps:
        wrong = left.index_select(0, split) != is_left[:, None]
        failed = failed.index_select(0, above).bitwise_or_(wrong.to(way.kind) * bit[:, None])
        out.append(failed.index_select(0, wanted))
    return torch.cat(out)


def turns(
    forest: Forest, codes: Int[Tensor, "views rows"]
) -> tuple[Int[Tensor, " nodes"], Bool[Tensor, "splits rows"]]:
    """Return where each node's turns are found, and whether each row goes left at each split."""
    inner = torch.nonzero(forest.left >= 0)[:, 0]
    place = torch.zeros_like(forest.left)
    place[inner] = torch.arange(len(inner))
    return place, goes_left(forest, codes, inner)


def _joined(
    known: Int[Tensor, "nodes depth"], player: Int[Tensor, " nodes"]
) -> tuple[Tensor, Tensor]:
    """Return the bit of each node's feature, and the features of its path with it."""
    same = known == player[:, None]
    count = (known >= 0).sum(1)
    slot = torch.where(same.any(1), same.long().argmax(1), count)
    if int(slot.max()) >= WORD:
        raise NotMeasurable(
            "A path of this tree asks about more than {most} features.",
            mend="Use LeverageSHAP, or let columns count together as one feature.",
            most=WORD,
        )
    if int(slot.max()) >= known.shape[1]:
        known = pad(known, (0, 1), value=-1)
    return slot, known.scatter(1, slot[:, None], player[:, None])
