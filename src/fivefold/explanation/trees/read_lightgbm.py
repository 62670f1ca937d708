"""LightGBM's trees from its text format (Ke et al., 2017)."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fivefold.core.errors import NotMeasurable
from fivefold.core.text import Text
from fivefold.explanation.preparation import Array
from fivefold.explanation.sums import (
    AGAINST_REST,
    BEFORE_SOFTMAX,
    LOG_ODDS,
    LOG_TARGET,
    TARGET,
    Spread,
)
from fivefold.explanation.trees.forest import Tree, View
from fivefold.explanation.trees.reading import Grove, Reading, columns_of, in_bits

PLAIN = ("regression", "regression_l1", "huber", "fair", "quantile", "mape")
LOGARITHM = ("poisson", "gamma", "tweedie")
ZERO = 1  # the kind of missing value that 0 is


def read_lightgbm(estimator: Any) -> Reading:
    """Return the trees of an `LGBMClassifier` or `LGBMRegressor`, up to its best iteration.

    Raises:
        NotMeasurable: Its leaves are linear models, or what its sums mean is not known.
    """
    head, *blocks = estimator.booster_.model_to_string().split("\n\nTree=")
    about = _fields(head)
    unit, spread, scale = _meaning(about.get("objective", "custom"))
    n_outputs = int(about["num_tree_per_iteration"])
    if "average_output" in head.splitlines():  # a random forest; `raw_score` does not average
        scale *= n_outputs / len(blocks)
    grove = Grove()
    for i, block in enumerate(blocks):
        grove.trees.append(_tree(_fields(block), grove, scale, i % n_outputs))
    return Reading(grove.planted(np.zeros(n_outputs)), _raw(estimator, scale), unit, spread)


def _raw(estimator: Any, scale: float) -> Callable[[Array], Array]:
    return lambda x: scale * columns_of(estimator.predict(x, raw_score=True))


def _meaning(objective: str) -> tuple[Text, Spread, float]:
    name, *settings = objective.split()
    sigmoid = next((float(s.partition(":")[2]) for s in settings if s.startswith("sigmoid:")), 1.0)
    if name == "binary":
        return LOG_ODDS, "opposite", sigmoid
    if name == "multiclass":
        return BEFORE_SOFTMAX, "each", 1.0
    if name == "multiclassova":
        return AGAINST_REST, "each", sigmoid
    if name in LOGARITHM:
        return LOG_TARGET, "each", 1.0
    if name in PLAIN and "sqrt" not in settings:
        return TARGET, "each", 1.0
    raise NotMeasurable(
        "What the trees add up to under the objective {objective} is not known.",
        mend="Use LeverageSHAP.",
        objective=objective,
    )


def _fields(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def _numbers(told: Mapping[str, str], name: str, kind: type[Any]) -> Array:
    return np.array(told.get(name, "").split(), dtype=kind)


def _tree(told: Mapping[str, str], grove: Grove, scale: float, first: int) -> Tree:
    """Return a tree whose leaves follow its splits; LightGBM counts them from -1 down."""
    if told.get("is_linear", "0") != "0":
        raise NotMeasurable(
            "The leaves of these trees are linear models.", mend="Use LeverageSHAP."
        )
    value = _numbers(told, "leaf_value", float) * scale
    n_leaves, n_splits = len(value), len(value) - 1
    view, threshold = _splits(told, grove)
    left, right = (_children(told, name, n_splits) for name in ("left_child", "right_child"))
    return Tree(
        np.concatenate([view, np.zeros(n_leaves, dtype=np.int64)]),
        np.concatenate([threshold, np.zeros(n_leaves)]),
        left,
        right,
        np.concatenate([np.zeros(n_splits), value])[:, None],
        first,
    )


def _children(told: Mapping[str, str], name: str, n_splits: int) -> Array:
    child = _numbers(told, name, int)[:n_splits]
    return np.concatenate(
        [np.where(child < 0, n_splits + ~child, child), np.full(n_splits + 1, -1)]
    )


def _splits(told: Mapping[str, str], grove: Grove) -> tuple[Array, Array]:
    """Return the view and the threshold of each split."""
    column, threshold = _numbers(told, "split_feature", int), _numbers(told, "threshold", float)
    kind = _numbers(told, "decision_type", int)
    missing = (kind >> 2) & 3
    # where missing values have no side of their own they count as 0
    is_left = np.where(missing == 0, threshold >= 0, (kind & 2) > 0)
    view = np.zeros(len(column), dtype=np.int64)
    for is_zero in (False, True):
        here = (missing == ZERO) == is_zero
        view[here] = grove.views(column[here], is_left[here], is_zero_missing=is_zero)
    start, words = _numbers(told, "cat_boundaries", int), _numbers(told, "cat_threshold", int)
    for i in np.flatnonzero(kind & 1):
        which = int(threshold[i])
        sets = in_bits(words[start[which] : start[which + 1]])
        view[i], threshold[i] = grove.view(View(int(column[i]), False, left=sets)), 0.5
    return view, threshold
