"""scikit-learn's histogram gradient boosting from the arrays of its trees (after Ke et al., 2017)."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fivefold.core.errors import NotMeasurable
from fivefold.core.text import Text
from fivefold.explanation.preparation import Array
from fivefold.explanation.sums import BEFORE_SOFTMAX, LOG_ODDS, LOG_TARGET, TARGET
from fivefold.explanation.trees.forest import Tree, View
from fivefold.explanation.trees.reading import Grove, Reading, columns_of, in_bits

LOGARITHM = ("poisson", "gamma")


def read_histogram(estimator: Any) -> Reading:
    """Return the trees of `HistGradientBoostingClassifier` or `HistGradientBoostingRegressor`."""
    known, place = estimator._bin_mapper.make_known_categories_bitsets()
    categories = [in_bits(words) for words in known]
    grove = Grove()
    for members in estimator._predictors:
        for first, member in enumerate(members):
            grove.trees.append(_tree(member, grove, categories, place, first))
    forest = grove.planted(np.asarray(estimator._baseline_prediction).reshape(-1))
    unit, raw = _meaning(estimator)
    is_binary = unit == LOG_ODDS
    order, rows = _order(estimator)
    return Reading(forest, raw, unit, "opposite" if is_binary else "each", rows, order)


def _meaning(estimator: Any) -> tuple[Text, Callable[[Array], Array]]:
    if hasattr(estimator, "classes_"):
        unit = LOG_ODDS if len(estimator.classes_) == 2 else BEFORE_SOFTMAX
        return unit, lambda x: columns_of(estimator.decision_function(x))
    if estimator.loss in LOGARITHM:
        return LOG_TARGET, lambda x: np.log(columns_of(estimator.predict(x)))
    if isinstance(estimator.loss, str):
        return TARGET, lambda x: columns_of(estimator.predict(x))
    raise NotMeasurable(
        "What the trees add up to under the objective {objective} is not known.",
        mend="Use LeverageSHAP.",
        objective=type(estimator.loss).__name__,
    )


def _order(estimator: Any) -> tuple[Array | None, Callable[[Array], Array]]:
    """Return where the trees' columns come from: categories are encoded and moved to the front."""
    preparation = estimator._preprocessor
    if preparation is None:
        return None, np.asarray
    is_category = np.asarray(estimator.is_categorical_, dtype=bool)
    order = np.concatenate([np.flatnonzero(is_category), np.flatnonzero(~is_category)])
    return order, preparation.transform


def _tree(member: Any, grove: Grove, known: list[frozenset[int]], place: Array, first: int) -> Tree:
    nodes = member.nodes
    inner = nodes["is_leaf"] == 0
    column, is_left = nodes["feature_idx"], nodes["missing_go_to_left"]
    view, threshold = np.zeros(len(nodes), dtype=np.int64), nodes["num_threshold"].copy()
    view[inner] = grove.views(column[inner], is_left[inner])
    for node in np.flatnonzero(inner & (nodes["is_categorical"] != 0)):
        left = in_bits(member.raw_left_cat_bitsets[nodes["bitset_idx"][node]])
        side, feature = bool(is_left[node]), int(column[node])
        here = View(
            feature, side, left=left, right=known[int(place[feature])] - left, is_other_left=side
        )
        view[node], threshold[node] = grove.view(here), 0.5
    left, right = (np.where(inner, nodes[n].astype(np.int64), -1) for n in ("left", "right"))
    return Tree(view, threshold, left, right, nodes["value"][:, None], first)
