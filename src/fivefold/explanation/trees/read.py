"""From a model to its trees: which library grew them, and what is done to the columns before."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fivefold.core.errors import NotMeasurable
from fivefold.core.model import Model
from fivefold.explanation.trees.forest import Array
from fivefold.explanation.trees.preparation import sources
from fivefold.explanation.trees.read_histogram import read_histogram
from fivefold.explanation.trees.read_lightgbm import read_lightgbm
from fivefold.explanation.trees.read_sklearn import read_adaboost, read_boosting, read_forest
from fivefold.explanation.trees.read_xgboost import read_xgboost
from fivefold.explanation.trees.reading import Reading
from fivefold.models import SklearnModel

READERS: Mapping[tuple[str, str], Callable[[Any], Reading]] = {
    **{
        ("sklearn", name + kind): read
        for kind in ("Classifier", "Regressor")
        for name, read in (
            ("DecisionTree", read_forest),
            ("ExtraTree", read_forest),
            ("RandomForest", read_forest),
            ("ExtraTrees", read_forest),
            ("GradientBoosting", read_boosting),
            ("HistGradientBoosting", read_histogram),
        )
    },
    ("sklearn", "AdaBoostClassifier"): read_adaboost,
    ("lightgbm", "LGBMClassifier"): read_lightgbm,
    ("lightgbm", "LGBMRegressor"): read_lightgbm,
    ("xgboost", "XGBClassifier"): read_xgboost,
    ("xgboost", "XGBRegressor"): read_xgboost,
    ("xgboost", "XGBRFClassifier"): read_xgboost,
    ("xgboost", "XGBRFRegressor"): read_xgboost,
}


def has_trees(model: Model) -> bool:
    """Whether a model is made of trees that are read here."""
    try:
        read_trees(model)
    except NotMeasurable:
        return False
    return True


def read_trees(model: Model) -> Reading:
    """Return the trees of a model; the columns they come from are those of its schema.

    Raises:
        NotMeasurable: It is not made of trees of a known kind, or what comes before them mixes columns.
    """
    last = _last(model.estimator) if isinstance(model, SklearnModel) else model
    if not (isinstance(model, SklearnModel) and _kind(last) in READERS):
        raise NotMeasurable(
            "{model} is not made of trees of a known kind.",
            mend="Use LeverageSHAP, which only asks the model.",
            model=type(last).__name__,
        )
    own, before = READERS[_kind(last)](last), _before(model.estimator)
    columns = _columns(model)
    for step in before:
        columns = columns[sources(step, len(columns))]
    return own._replace(
        rows=lambda x: own.rows(_prepared(before, x)),
        raw=lambda x: own.raw(_prepared(before, x)),
        source=columns if own.source is None else columns[own.source],
    )


def _last(estimator: Any) -> Any:
    steps = getattr(estimator, "steps", None)
    return _last(steps[-1][1]) if steps else estimator


def _before(estimator: Any) -> list[Any]:
    """Return the steps that prepare the columns, in order."""
    steps = [s for _, s in getattr(estimator, "steps", [])]
    if not steps:
        return []
    return [s for s in steps[:-1] if s not in ("passthrough", None)] + _before(steps[-1])


def _kind(estimator: Any) -> tuple[str, str]:
    return type(estimator).__module__.partition(".")[0], type(estimator).__name__


def _columns(model: SklearnModel) -> Array:
    """Return the place in the schema of each column that the estimator is given."""
    told = {c.name.replace(" ", "_"): i for i, c in enumerate(model.schema.columns)}
    told |= {c.name: i for i, c in enumerate(model.schema.columns)}
    names = [str(n) for n in getattr(model.estimator, "feature_names_in_", ())]
    if names and all(name in told for name in names):
        return np.array([told[name] for name in names])
    return np.arange(model.schema.n_features)


def _prepared(before: list[Any], x: Any) -> Any:
    for step in before:
        x = step.transform(x)
    return x.toarray() if hasattr(x, "toarray") else x
