"""What kind of answers a stranger gives, settled once by asking it about a few made-up inputs."""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from fivefold.core.codepoints import encode_texts
from fivefold.core.errors import BadInput
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.models.answers import CLOSE, Kind, numbers_of

Answers: TypeAlias = Literal["auto"] | Kind
N = 8
SENTENCES = ("a", "Very good.", "Not good at all!", "1, 2, 3", "好", "非常糟糕。", "x" * 40, "? !")


def settled(
    wanted: Answers, ask: Callable[[Tensor], Any], task: Task, schema: Schema, where: str
) -> Kind:
    """Return the kind of answers that `ask` gives.

    Probabilities are recognised by being at least 0 and summing to 1 (a single column: by being at
    most 1) on all of a few inputs; a kind decided batch by batch could change in the middle.

    Raises:
        BadInput: It cannot be asked, or its answers look like labels.
    """
    if wanted != "auto":
        return wanted
    if not task.is_classification:
        return "numbers"
    values = numbers_of(ask(examples(schema)), where)
    if values.ndim == 1 or values.shape[-1] == 1:
        _refuse_labels(values, where)
        return "probabilities" if ((values >= 0) & (values <= 1)).all() else "logits"
    sums = values.sum(-1)
    is_share = (values >= 0).all() and (np.abs(sums - 1) <= CLOSE).all()
    return "probabilities" if is_share else "logits"


def examples(schema: Schema) -> Tensor:
    """Return a few inputs of the right form, from one end of every range to the other."""
    if schema.is_text:
        return encode_texts(SENTENCES, *schema.shape)
    if schema.is_table:
        return torch.stack([_column(column) for column in schema.columns], dim=1)
    ramp = torch.linspace(0.1, 1, schema.n_features).reshape(schema.shape)
    return torch.linspace(0, 1, N).reshape(-1, *[1] * len(schema.shape)) * ramp


def _column(column: Column) -> Tensor:
    if column.is_category:
        return (torch.arange(N) % max(len(column.categories), 1)).float()
    low = column.center - 2 * column.scale if column.low is None else column.low
    high = column.center + 2 * column.scale if column.high is None else column.high
    values = torch.linspace(low, high, N)
    return values.round().clamp(low, high) if column.kind == "integer" else values


def _refuse_labels(values: np.ndarray[Any, Any], where: str) -> None:
    if (values == np.round(values)).all():
        raise BadInput(
            "It answers whole numbers, which look like labels: how sure it is stays hidden.",
            where=where,
            mend="Let it answer a probability for each class; or say what the answers are, probabilities or logits.",
        )
