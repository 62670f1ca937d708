"""scikit-learn's trees, forests and boosting from their arrays (Breiman, 2001; Friedman, 2001)."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fivefold.core.errors import NotMeasurable
from fivefold.explanation.preparation import Array
from fivefold.explanation.sums import BEFORE_SOFTMAX, LOG_ODDS, PROBABILITY, TARGET
from fivefold.explanation.trees.forest import Tree
from fivefold.explanation.trees.reading import Grove, Reading, columns_of


def read_forest(estimator: Any) -> Reading:
    """Return the trees of a decision tree, a random forest or extremely randomized trees.

    Raises:
        NotMeasurable: It answers several numbers at once.
    """
    _refuse_several(estimator)
    members = getattr(estimator, "estimators_", [estimator])
    n_classes = getattr(estimator, "n_classes_", None)
    grove = Grove()
    for member in members:
        value = member.tree_.value[:, 0]
        if n_classes is not None:
            value = value / value.sum(1, keepdims=True)
            value = value[:, 1:] if n_classes == 2 else value
        grove.trees.append(plain_tree(member.tree_, value / len(members), grove))
    forest = grove.planted(np.zeros(grove.trees[0].value.shape[1]))
    if n_classes is None:
        return Reading(forest, _numbers(estimator.predict), TARGET, rows=single)
    if n_classes == 2:
        raw = _numbers(lambda x: estimator.predict_proba(x)[:, 1])
        return Reading(forest, raw, PROBABILITY, "complement", single)
    return Reading(forest, _numbers(estimator.predict_proba), PROBABILITY, rows=single)


def read_boosting(estimator: Any) -> Reading:
    """Return the trees of gradient boosting.

    Raises:
        NotMeasurable: It starts from a model of its own.
    """
    start = estimator.init_
    if not (start == "zero" or type(start).__name__ in ("DummyClassifier", "DummyRegressor")):
        raise NotMeasurable(
            "These trees start from another model, {model}.",
            mend="Use LeverageSHAP.",
            model=type(start).__name__,
        )
    scale = 2.0 if getattr(estimator, "loss", "") == "exponential" else 1.0
    grove = Grove()
    for members in estimator.estimators_:
        for first, member in enumerate(members):
            value = member.tree_.value[:, 0] * (estimator.learning_rate * scale)
            grove.trees.append(plain_tree(member.tree_, value, grove, first))
    is_class = hasattr(estimator, "classes_")
    asked = estimator.decision_function if is_class else estimator.predict
    n_outputs = estimator.estimators_.shape[1]
    zero = np.zeros((1, estimator.n_features_in_), dtype=np.float32)
    trees = [sum(m.predict(zero)[0] for m in column) for column in estimator.estimators_.T]
    base = columns_of(asked(zero))[0] - estimator.learning_rate * np.array(trees)
    unit = (LOG_ODDS if n_outputs == 1 else BEFORE_SOFTMAX) if is_class else TARGET
    raw = _numbers(lambda x: scale * columns_of(asked(x)))
    spread = "opposite" if is_class and n_outputs == 1 else "each"
    return Reading(grove.planted(base * scale), raw, unit, spread, single)


def read_adaboost(estimator: Any) -> Reading:
    """Return the trees of AdaBoost for classes (SAMME), each of which votes for one class.

    Raises:
        NotMeasurable: What is boosted are not trees.
    """
    n_classes = estimator.n_classes_
    scale = 1 / (n_classes - 1)  # its softmax is taken of so much of its votes
    share = scale * estimator.estimator_weights_ / estimator.estimator_weights_.sum()
    grove = Grove()
    for member, weight in zip(estimator.estimators_, share, strict=False):
        if not hasattr(member, "tree_"):
            raise NotMeasurable("What is boosted are not trees.", mend="Use LeverageSHAP.")
        votes = np.eye(n_classes)[member.tree_.value[:, 0].argmax(1)]
        value = weight * (votes - (1 - votes) / (n_classes - 1))
        value = 2 * value[:, 1:] if n_classes == 2 else value
        grove.trees.append(plain_tree(member.tree_, value, grove))
    forest = grove.planted(np.zeros(1 if n_classes == 2 else n_classes))
    raw = _numbers(lambda x: scale * columns_of(estimator.decision_function(x)))
    unit, spread = (LOG_ODDS, "opposite") if n_classes == 2 else (BEFORE_SOFTMAX, "each")
    return Reading(forest, raw, unit, spread, single)


def plain_tree(tree: Any, value: Array, grove: Grove, first: int = 0) -> Tree:
    """Return one of scikit-learn's trees with its `value` of each node."""
    inner = tree.children_left >= 0
    view = np.zeros(len(inner), dtype=np.int64)
    view[inner] = grove.views(tree.feature[inner], tree.missing_go_to_left[inner])
    return Tree(view, tree.threshold, tree.children_left, tree.children_right, value, first)


def single(x: Array) -> Array:
    """Return rows in the single precision that these trees read."""
    return np.asarray(x, dtype=np.float32)


def _numbers(answer: Callable[[Array], Array]) -> Callable[[Array], Array]:
    return lambda x: columns_of(answer(x))


def _refuse_several(estimator: Any) -> None:
    if getattr(estimator, "n_outputs_", 1) > 1:
        raise NotMeasurable(
            "Trees that answer several numbers at once are not read.", mend="Use LeverageSHAP."
        )
