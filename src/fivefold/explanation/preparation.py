"""Steps of a pipeline that treat each column by itself, and which column each of their outputs comes from."""

from typing import Any, NamedTuple, TypeAlias

import numpy as np

from fivefold.core.errors import NotMeasurable
from fivefold.models import SklearnModel

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

ONE_TO_ONE = (
    "StandardScaler",
    "MinMaxScaler",
    "MaxAbsScaler",
    "RobustScaler",
    "PowerTransformer",
    "QuantileTransformer",
    "OrdinalEncoder",
    "FunctionTransformer",
)


class Preparation(NamedTuple):
    """What comes before the last step of an estimator.

    Attributes:
        steps: The steps, in order.
        last: The step that predicts.
        source: Place in the schema of what each column that `last` is given is made of.
    """

    steps: list[Any]
    last: Any
    source: Array

    def __call__(self, given: Any) -> Any:
        """Return what the last step is given, from what the estimator is given."""
        for step in self.steps:
            given = step.transform(given)
        return given.toarray() if hasattr(given, "toarray") else given


def preparation(model: SklearnModel) -> Preparation:
    """Return what comes before the step that predicts.

    Raises:
        NotMeasurable: A step mixes columns, or is not known.
    """
    *steps, last = _flat(model.estimator)
    source = _columns(model)
    for step in steps:
        source = source[sources(step, len(source))]
    return Preparation(steps, last, source)


def last_of(model: SklearnModel) -> Any:
    """Return the step that predicts."""
    return _flat(model.estimator)[-1]


def sources(step: Any, n: int) -> Array:
    """Return, for each column that a fitted step makes of `n` columns, which of them it is made of.

    Raises:
        NotMeasurable: The step mixes columns, or is not known.
    """
    name = type(step).__name__
    if step == "passthrough" or step is None:
        return np.arange(n)
    if name == "Pipeline":
        return _in_turn([s for _, s in step.steps], n)
    if name == "ColumnTransformer":
        return _side_by_side(step)
    if name == "SimpleImputer":
        return _imputed(step, n)
    if name == "OneHotEncoder" and not _has_rare(step):
        return np.repeat(np.arange(n), _n_indicators(step))
    if name in ONE_TO_ONE and not (name == "FunctionTransformer" and step.func is not None):
        return np.arange(n)
    raise NotMeasurable(
        "What {step} makes of one column is not known to depend on that column alone.",
        mend="Use LeverageSHAP, which only asks the model.",
        step=name,
    )


def _in_turn(steps: list[Any], n: int) -> Array:
    found = np.arange(n)
    for step in steps:
        found = found[sources(step, len(found))]
    return found


def _side_by_side(step: Any) -> Array:
    """Return the sources of a fitted `ColumnTransformer`, whose parts lie side by side."""
    inputs = step._transformer_to_input_indices
    found = np.zeros(max(s.stop for s in step.output_indices_.values()), dtype=np.int64)
    for name, part, _ in step.transformers_:
        place = step.output_indices_[name]
        if place.stop > place.start:
            own = np.asarray(inputs[name], dtype=np.int64)
            found[place] = own[sources(part, len(own))]
    return found


def _imputed(step: Any, n: int) -> Array:
    """Return the sources of an imputer, which drops empty columns and may add marks of gaps."""
    kept = np.arange(n)
    if not step.keep_empty_features:
        is_empty = [
            isinstance(s, float) and np.isnan(s) for s in np.asarray(step.statistics_).tolist()
        ]
        kept = kept[~np.array(is_empty, dtype=bool)]
    marks = step.indicator_.features_ if step.add_indicator else kept[:0]
    return np.concatenate([kept, np.asarray(marks, dtype=np.int64)])


def _has_rare(step: Any) -> bool:
    return step.min_frequency is not None or step.max_categories is not None


def _n_indicators(step: Any) -> list[int]:
    dropped = step.drop_idx_ if step.drop_idx_ is not None else [None] * len(step.categories_)
    return [len(c) - (d is not None) for c, d in zip(step.categories_, dropped, strict=True)]


def _flat(estimator: Any) -> list[Any]:
    """Return the steps of a pipeline, and of pipelines inside it; of any other estimator, itself."""
    steps = [s for _, s in getattr(estimator, "steps", [])]
    inside = [s for step in steps for s in _flat(step)]
    return [s for s in inside if s not in ("passthrough", None)] if steps else [estimator]


def _columns(model: SklearnModel) -> Array:
    """Return the place in the schema of each column that the estimator is given."""
    told = {c.name.replace(" ", "_"): i for i, c in enumerate(model.schema.columns)}
    told |= {c.name: i for i, c in enumerate(model.schema.columns)}
    names = [str(n) for n in getattr(model.estimator, "feature_names_in_", ())]
    if names and all(name in told for name in names):
        return np.array([told[name] for name in names])
    return np.arange(model.schema.n_features)
