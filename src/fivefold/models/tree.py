"""Trees from a stranger's file: scikit-learn follows their indices unchecked, so they are checked here."""

from typing import Any

import numpy as np

from fivefold.core.errors import Damaged
from fivefold.models.inside import estimators_in, flat


def check_trees(estimator: Any) -> None:
    """Check every decision tree in `estimator`: children and features must exist, and no path may turn back.

    Raises:
        Damaged: An index points outside, or backwards.
    """
    for owner in estimators_in(estimator):
        n = getattr(owner, "n_features_in_", None)
        if hasattr(owner, "tree_"):
            _check_tree(owner.tree_, n)
        if hasattr(owner, "_predictors"):
            for predictor in flat(owner._predictors):
                _check_histogram(predictor, n, owner._bin_mapper.is_categorical_)
        if hasattr(owner, "estimators_") and not hasattr(owner, "estimators_features_"):
            _check_members(owner, n)


def _check_members(owner: Any, n: int | None) -> None:
    for member in flat(owner.estimators_):
        if hasattr(member, "tree_") and member.tree_.n_features != n:
            raise _damaged("trees of an ensemble that read different columns")


def _check_tree(tree: Any, n: int | None) -> None:
    left, right, feature = tree.children_left, tree.children_right, tree.feature
    here = np.arange(tree.node_count)
    is_inner = left != -1
    children = np.stack([left, right])[:, is_inner]
    if tree.n_features != n or len(tree.value) != tree.node_count:
        raise _damaged("a tree that does not fit its estimator")
    if (right[~is_inner] != -1).any() or (children <= here[is_inner]).any():
        raise _damaged("a tree whose path turns back")
    if (children >= tree.node_count).any():
        raise _damaged("a tree whose branch leads nowhere")
    if ((feature < 0) | (feature >= tree.n_features))[is_inner].any():
        raise _damaged("a tree that reads a column which does not exist")


def _check_histogram(predictor: Any, n: int | None, categorical: Any) -> None:
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE

    nodes = predictor.nodes
    if nodes.dtype != PREDICTOR_RECORD_DTYPE or nodes.ndim != 1 or not len(nodes) or n is None:
        raise _damaged("a tree without proper nodes")
    inner = nodes[nodes["is_leaf"] == 0]
    here = np.flatnonzero(nodes["is_leaf"] == 0)
    children = np.stack([inner["left"], inner["right"]]).astype(np.int64)
    if (children <= here).any() or (children >= len(nodes)).any():
        raise _damaged("a tree whose branch leads nowhere or back")
    if (inner["feature_idx"] < 0).any() or (inner["feature_idx"] >= n).any():
        raise _damaged("a tree that reads a column which does not exist")
    told = inner[inner["is_categorical"] != 0]
    sets = len(predictor.raw_left_cat_bitsets)
    known = np.zeros(n, dtype=bool) if categorical is None else np.asarray(categorical, dtype=bool)
    if (told["bitset_idx"] >= sets).any() or len(known) != n or not known[told["feature_idx"]].all():  # fmt: skip
        raise _damaged("a tree with categories that do not exist")


def _damaged(problem: str) -> Damaged:
    return Damaged(
        "The estimator in this file would read outside its memory: it has {problem}.",
        mend="Get the file again from where it was written.",
        problem=problem,
    )
