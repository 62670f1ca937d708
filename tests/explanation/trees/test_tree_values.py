"""Random trees, against walking down each of them for every set of features."""

from itertools import product
from math import factorial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.explanation.trees import values as values_module
from fivefold.explanation.trees.forest import Tree, View
from fivefold.explanation.trees.leaf_tables import leaf_tables
from fivefold.explanation.trees.reading import Grove
from fivefold.explanation.trees.values import tree_values


def random_view(rng, n):
    column, side = int(rng.integers(n)), bool(rng.integers(2))
    if rng.random() < 0.3:
        left, right = np.split(rng.permutation(4), [2])
        sets = frozenset(left.tolist()), frozenset(right[: rng.integers(3)].tolist())
        return View(column, side, left=sets[0], right=sets[1], is_other_left=bool(rng.integers(2)))
    return View(column, side, is_zero_missing=bool(rng.integers(2)))


def random_tree(rng, n, depth, first):
    """Nested tuples (view, threshold, left, right), or the number of a leaf."""
    if depth == 0 or rng.random() < 0.15:
        return float(rng.normal())
    view = random_view(rng, n)
    threshold = 0.5 if view.left is not None else float(rng.integers(-2, 3))
    children = (random_tree(rng, n, depth - 1, first) for _ in range(2))
    return (view, threshold, *children)


def turns_left(view, threshold, value):
    if np.isnan(value) or (view.is_zero_missing and value == 0):
        return view.is_missing_left
    if view.left is None:
        return value <= threshold
    return value in view.left or (view.is_other_left and value not in view.right)


def answer(tree, row):
    while not isinstance(tree, float):
        view, threshold, left, right = tree
        tree = left if turns_left(view, threshold, row[view.column]) else right
    return tree


def flattened(tree, grove, first):
    """The same tree in arrays."""
    nodes = []

    def add(node):
        place = len(nodes)
        nodes.append([0, 0.0, -1, -1, 0.0])
        if isinstance(node, float):
            nodes[place][4] = node
            return place
        view, threshold, left, right = node
        nodes[place][:2] = grove.view(view), threshold
        nodes[place][2], nodes[place][3] = add(left), add(right)
        return place

    add(tree)
    view, threshold, left, right, value = (np.array(c) for c in zip(*nodes, strict=True))
    return Tree(view, threshold, left, right, value[:, None], first)


def forest_of(rng, n, depth, n_trees, n_outputs):
    grove, trees = Grove(), [random_tree(rng, n, depth, 0) for _ in range(n_trees)]
    grove.trees += [flattened(t, grove, i % n_outputs) for i, t in enumerate(trees)]
    return grove.planted(np.arange(n_outputs, dtype=float)), trees


def by_definition(trees, n_outputs, x, background, member):
    n = int(member.max()) + 1

    def worth(kept):
        total = np.zeros(n_outputs)
        for row in background:
            mixed = np.where(np.array(kept)[member], x, row)
            for i, tree in enumerate(trees):
                total[i % n_outputs] += answer(tree, mixed)
        return total / len(background)

    all_sets = {kept: worth(kept) for kept in product((False, True), repeat=n)}
    found = np.zeros((n, n_outputs))
    for kept, without in all_sets.items():
        for i in (i for i in range(n) if not kept[i]):
            size = sum(kept)
            weight = factorial(size) * factorial(n - 1 - size) / factorial(n)
            found[i] += weight * (all_sets[(*kept[:i], True, *kept[i + 1 :])] - without)
    return found


def random_rows(rng, n_rows, n):
    x = rng.integers(-2, 5, (n_rows, n)).astype(float)
    x[rng.random((n_rows, n)) < 0.15] = np.nan
    return x


def values_of(forest, member, n_players, x, background):
    column = np.array([v.column for v in forest.views] or [0])
    player = torch.from_numpy(member[column])[forest.view]
    return tree_values(forest, player, n_players, forest.codes(x), forest.codes(background))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000), n=st.integers(1, 6), depth=st.integers(0, 5), joined=st.booleans()
)
def test_agrees_with_walking_down_for_every_set(seed, n, depth, joined):
    rng = np.random.default_rng(seed)
    n_outputs = int(rng.integers(1, 3))
    forest, trees = forest_of(rng, n, depth, 3, n_outputs)
    member = np.arange(n) // 2 if joined else np.arange(n)
    n_players = int(member.max()) + 1
    x, background = random_rows(rng, 2, n), random_rows(rng, 3, n)
    found = values_of(forest, member, n_players, x, background)
    for i, row in enumerate(x):
        wanted = by_definition(trees, n_outputs, row, background, member)
        assert np.allclose(found.values[:, :, i].numpy(), wanted, atol=1e-12)


@pytest.mark.parametrize(("name", "value"), [("ROOM", 0), ("ROOM", 3000), ("NODES", 1), ("ROWS", 3), ("GATHERED", 1)])  # fmt: skip
def test_room_changes_nothing_but_memory(monkeypatch, name, value):
    """Without room for tables every leaf compares the pairs of sets that occur."""
    rng = np.random.default_rng(5)
    forest, _ = forest_of(rng, 8, 7, 6, 2)
    x, background = random_rows(rng, 10, 8), random_rows(rng, 20, 8)
    plain = values_of(forest, np.arange(8), 8, x, background)
    monkeypatch.setattr(values_module, name, value)
    other = values_of(forest, np.arange(8), 8, x, background)
    assert torch.allclose(plain.values, other.values, atol=1e-12)
    assert torch.allclose(plain.base, other.base, atol=1e-12)


def test_paths_of_many_features():
    """A chain of 40 splits, each on a column of its own: a set of 40 is no index of a table."""
    n = 40
    tree = 1.0
    for column in range(n):
        tree = (View(column, False), 0.0, 0.0, tree)
    grove = Grove()
    grove.trees.append(flattened(tree, grove, 0))
    forest = grove.planted(0.0)
    x, background = np.ones((1, n)), -np.ones((1, n))
    found = values_of(forest, np.arange(n), n, x, background)
    assert torch.allclose(found.values[:, 0, 0], torch.full((n,), 1 / n).double())  # unanimity


def test_columns_that_play_the_same_part_share_alike():
    tree = (View(0, False), 0.0, 0.0, (View(1, False), 0.0, 0.0, 6.0))
    grove = Grove()
    grove.trees.append(flattened(tree, grove, 0))
    found = values_of(grove.planted(1.0), np.arange(3), 3, np.ones((1, 3)), -np.ones((2, 3)))
    assert found.values[:, 0, 0].tolist() == [3, 3, 0]
    assert found.base.tolist() == [1]


def test_a_background_that_fails_nothing_earns_nothing():
    tables = leaf_tables(torch.zeros(1, 4).long(), 3)
    assert (tables[:, :, 0] == 0).all()
    assert torch.allclose(tables[0].sum(0)[1:], -torch.ones(7).double())  # the row leaves the leaf
