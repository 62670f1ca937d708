"""XGBoost's trees from its JSON format (Chen and Guestrin, 2016)."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fivefold.core.errors import NotMeasurable
from fivefold.core.text import Text
from fivefold.explanation.preparation import Array
from fivefold.explanation.sums import BEFORE_SOFTMAX, LOG_ODDS, LOG_TARGET, TARGET, Spread
from fivefold.explanation.trees.forest import Tree, View
from fivefold.explanation.trees.reading import Grove, Reading, columns_of

PLAIN = (
    "reg:squarederror",
    "reg:absoluteerror",
    "reg:pseudohubererror",
    "reg:squaredlogerror",
    "reg:quantileerror",
)
LOGARITHM = ("count:poisson", "reg:gamma", "reg:tweedie")


def read_xgboost(estimator: Any) -> Reading:
    """Return the trees of an `XGBClassifier` or `XGBRegressor`, up to its best iteration.

    Raises:
        NotMeasurable: It has no trees or vectors in its leaves, or what its sums mean is not known.
    """
    learner = json.loads(bytes(estimator.get_booster().save_raw("json")))["learner"]
    booster, about = learner["gradient_booster"], learner["learner_model_param"]
    dropped: list[float] | None = booster.get("weight_drop")
    booster = booster.get("gbtree", booster)
    if "model" not in booster or "trees" not in booster["model"]:
        raise NotMeasurable("This model has no trees.", mend="Use LeverageSHAP.")
    unit, spread, link = _meaning(learner["objective"]["name"])
    n_outputs = max(1, int(about["num_class"]))
    if any(int(t["tree_param"]["size_leaf_vector"]) > 1 for t in booster["model"]["trees"]):
        raise NotMeasurable(
            "Trees that answer several numbers at once are not read.", mend="Use LeverageSHAP."
        )
    model, grove = booster["model"], Grove()
    for i in range(_n_trees(estimator, model)):
        weight = dropped[i] if dropped is not None else 1.0
        grove.trees.append(_tree(model["trees"][i], grove, weight, model["tree_info"][i]))
    base = link(np.array(about["base_score"].strip("[]").split(","), dtype=np.float64))
    forest = grove.planted(np.broadcast_to(base, n_outputs).copy())
    return Reading(forest, _raw(estimator), unit, spread, _rows(estimator.missing))


def _n_trees(estimator: Any, model: Mapping[str, Any]) -> int:
    """Return how many trees answer: those up to the best iteration, if training stopped early."""
    try:
        return int(model["iteration_indptr"][estimator.best_iteration + 1])
    except AttributeError:  # it did not stop early
        return len(model["trees"])


def _raw(estimator: Any) -> Callable[[Array], Array]:
    return lambda x: columns_of(estimator.predict(x, output_margin=True))


def _rows(missing: float) -> Callable[[Array], Array]:
    """Return what tells missing values of an array, all in the single precision that XGBoost reads."""

    def rows(x: Array) -> Array:
        values = np.asarray(x, dtype=np.float32)
        return np.where(values == np.float32(missing), np.float32(np.nan), values)

    return rows


def _meaning(objective: str) -> tuple[Text, Spread, Callable[[Array], Array]]:
    if objective in ("binary:logistic", "reg:logistic"):
        return LOG_ODDS, "opposite", lambda p: np.log(p / (1 - p))
    if objective in ("multi:softprob", "multi:softmax"):
        return BEFORE_SOFTMAX, "each", np.asarray
    if objective in LOGARITHM:
        return LOG_TARGET, "each", np.log
    if objective in PLAIN:
        return TARGET, "each", np.asarray
    raise NotMeasurable(
        "What the trees add up to under the objective {objective} is not known.",
        mend="Use LeverageSHAP.",
        objective=objective,
    )


def _tree(told: Mapping[str, Any], grove: Grove, weight: float, first: int) -> Tree:
    left, right = (np.array(told[name]) for name in ("left_children", "right_children"))
    condition = np.array(told["split_conditions"], dtype=np.float32)
    column, is_left = np.array(told["split_indices"]), np.array(told["default_left"])
    # a row goes left below the condition: at most the largest number below it
    threshold = np.nextafter(condition, np.float32(-np.inf)).astype(np.float64)
    view = np.zeros(len(left), dtype=np.int64)
    inner = left >= 0
    view[inner] = grove.views(column[inner], is_left[inner])
    parts = (told[f"categories_{name}"] for name in ("nodes", "segments", "sizes"))
    for node, start, size in zip(*parts, strict=True):
        goes_right = frozenset(told["categories"][start : start + size])
        here = View(
            int(column[node]),
            bool(is_left[node]),
            left=frozenset(),
            right=goes_right,
            is_other_left=True,
        )
        view[node], threshold[node] = grove.view(here), 0.5
    value = np.where(inner, 0.0, condition.astype(np.float64) * weight)
    return Tree(view, threshold, left, right, value[:, None], first)
