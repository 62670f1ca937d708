"""A fitted scikit-learn estimator as a model."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.core.data import Inputs, as_tensor
from fivefold.core.errors import BadInput
from fivefold.core.lineage import Lineage
from fivefold.core.schema import Schema
from fivefold.core.task import Task
from fivefold.models.answers import aligned, outputs_from
from fivefold.models.frame import Read, reader


@dataclass(frozen=True, kw_only=True)
class SklearnModel:
    """A fitted estimator or pipeline that eats the raw columns; images are given as flat rows.

    One that was fitted on named columns gets a frame with its columns in its order and with its own
    words for categories; one that was fitted on texts gets strings.

    Attributes:
        estimator: What was fitted, with `predict_proba` for classification.
        task: What is predicted. The estimator's classes must be the names of its classes, or their
            indices.
        schema: What it eats.
        lineage: What was done to it, as far as anybody says.
    """

    estimator: Any
    task: Task
    schema: Schema
    lineage: Lineage = ()

    def __post_init__(self) -> None:
        method = "predict_proba" if self.task.is_classification else "predict"
        if not hasattr(self.estimator, method):
            raise BadInput(
                "{model} has no {method}.",
                mend="Use one that has it; sklearn.calibration.CalibratedClassifierCV adds probabilities.",
                model=self.name,
                method=method,
            )
        n = getattr(self.estimator, "n_features_in_", self.schema.n_features)
        is_named = self.schema.is_table and hasattr(self.estimator, "feature_names_in_")
        if n != self.schema.n_features and not (is_named or self.schema.is_text):
            raise BadInput(
                "{model} was fitted on {found} columns, and the data have {wanted}.",
                mend="Fit it on the same columns.",
                model=self.name,
                found=n,
                wanted=self.schema.n_features,
            )
        if self.task.is_classification:
            aligned(self._classes(), self.task, self.name)
        if is_named:
            assert self.read  # the columns are there

    @cached_property
    def read(self) -> Read:
        """How the inputs are given to the estimator."""
        return reader(self.estimator, self.schema)

    @property
    def name(self) -> str:
        """Name of the estimator's class."""
        return type(self.estimator).__name__

    def predict(self, x: Inputs) -> Float[Tensor, "batch outputs"]:
        """Return log-probabilities of the task's classes, or numbers.

        Raises:
            BadInput: The estimator refuses the inputs, or what it answers cannot be used.
        """
        n = len(as_tensor(x))
        if not n:
            return torch.zeros(0, self.task.n_outputs)
        rows = self.read(as_tensor(x))
        is_class = self.task.is_classification
        try:
            answer = (
                self.estimator.predict_proba(rows) if is_class else self.estimator.predict(rows)
            )
        except (ValueError, TypeError, AttributeError) as error:
            raise BadInput(
                "{model} does not take these inputs: {problem}.",
                mend="Fit it on the raw columns, inside a Pipeline that prepares them.",
                model=self.name,
                problem=str(error)[:200],
            ) from error
        kind = "probabilities" if is_class else "numbers"
        columns = aligned(self._classes(), self.task, self.name) if is_class else (0,)
        return outputs_from(answer, n, self.task, kind, self.name)[:, list(columns)]

    def with_lineage(self, lineage: Lineage) -> Self:
        """Return the same predictor with another history."""
        return replace(self, lineage=lineage)

    def _classes(self) -> list[Any]:
        found = getattr(self.estimator, "classes_", None)
        if found is None:
            raise BadInput("{model} is not fitted.", mend="Call its fit before.", model=self.name)
        return list(found)
