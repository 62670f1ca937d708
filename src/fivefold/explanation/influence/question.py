"""What a method of attribution to training data is asked, checked before any work."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from fivefold.core.data import Batch, Inputs
from fivefold.core.errors import BadInput, NotMeasurable
from fivefold.core.model import Model
from fivefold.core.schema import Schema
from fivefold.core.task import Task
from fivefold.explanation.question import refuse_gaps


class Asked(NamedTuple):
    """One or several models of the same question, what they learned from, and the rows asked about."""

    models: tuple[Model, ...]
    train: Batch
    x: Batch

    @property
    def task(self) -> Task:
        """What is predicted."""
        return self.models[0].task

    @property
    def schema(self) -> Schema:
        """What the models eat."""
        return self.models[0].schema


def asked(model: Model | Sequence[Model], train: Batch, x: Batch, *, reveal: bool) -> Asked:
    """Return the question, known to make sense.

    Raises:
        BadInput: No rows, another shape than the model eats, values or targets that cannot be.
        NotMeasurable: The model has a privacy guarantee, and nobody said that rows may be revealed.
    """
    models = tuple(model) if isinstance(model, Sequence) else (model,)
    if not models:
        raise BadInput("There is no model.", mend="Give one model, or several.")
    first = models[0]
    if any(m.task != first.task or m.schema != first.schema for m in models):
        raise BadInput("The models do not answer one and the same question.", mend="Give checkpoints of one training, or models trained apart on the same data.")  # fmt: skip
    for one in models:
        if not reveal:
            _refuse_private(one)
    for data, where in ((train, "train"), (x, "x")):
        _check_inputs(data, first.schema, where)
        _check_targets(data.y, first.task, where)
    return Asked(models, train, x)


def decided(model: Model, x: Inputs) -> Batch:
    """Return rows with what the model answers, so that influences explain its decisions."""
    answer = model.predict(x)
    return Batch(x, answer.argmax(-1) if model.task.is_classification else answer[:, 0])


def _refuse_private(model: Model) -> None:
    """Raise an error if a step in the history of the model claims a privacy guarantee.

    Raises:
        NotMeasurable: It does.
    """
    if any(record.claim.privacy for record in model.lineage):
        raise NotMeasurable(
            "This model was trained with a privacy guarantee, and influences are computed from the training rows without any noise: whoever sees them learns more of single rows than the guarantee allows.",
            mend="Give reveal=True if every reader of the result may see the training rows.",
        )


def _check_inputs(data: Batch, schema: Schema, where: str) -> None:
    if not data.size:
        raise BadInput("There are no rows.", where=where, mend="Give at least one row.")
    if not isinstance(data.x, Tensor):
        return
    if tuple(data.x.shape[1:]) != schema.shape or len(data.x) != data.size:
        raise BadInput(
            "Inputs of shape {found} were given, and the model eats rows of shape {wanted}.",
            where=where,
            mend="Give at least one row, with the values in the order of the schema.",
            found=str(tuple(data.x.shape)),
            wanted=str(schema.shape),
        )
    refuse_gaps(data.x, schema, where)


def _check_targets(y: Tensor, task: Task, where: str) -> None:
    if not task.is_classification:
        if not bool(torch.isfinite(y).all()):
            raise BadInput("A target is missing or infinite.", where=where, mend="Leave that row out.")  # fmt: skip
        return
    if y.is_floating_point() or not bool(((y >= 0) & (y < task.n_outputs)).all()):
        raise BadInput(
            "Targets must be whole numbers from 0 to {last}, one per row: the place of the class.",
            where=where,
            mend="Use the order of task.classes.",
            last=task.n_outputs - 1,
        )
