"""From a model to its trees: which library grew them, and what is done to the columns before."""

from collections.abc import Callable, Mapping
from typing import Any

from fivefold.core.errors import NotMeasurable
from fivefold.core.model import Model
from fivefold.explanation.preparation import last_of, preparation
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
    last = last_of(model) if isinstance(model, SklearnModel) else model
    if not (isinstance(model, SklearnModel) and _kind(last) in READERS):
        raise NotMeasurable(
            "{model} is not made of trees of a known kind.",
            mend="Use LeverageSHAP, which only asks the model.",
            model=type(last).__name__,
        )
    own, before = READERS[_kind(last)](last), preparation(model)
    return own._replace(
        rows=lambda x: own.rows(before(x)),
        raw=lambda x: own.raw(before(x)),
        source=before.source if own.source is None else before.source[own.source],
    )


def _kind(estimator: Any) -> tuple[str, str]:
    return type(estimator).__module__.partition(".")[0], type(estimator).__name__
