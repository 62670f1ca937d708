"""The body of a feedback request: which request, and what the true answers were."""

import json
from math import isfinite
from typing import Any, NamedTuple

from fivefold.core.errors import BadInput
from fivefold.core.task import Task
from fivefold.deploy.watch.feedback import MOST_ROWS


class Labels(NamedTuple):
    """True answers of one request: class indices, or numbers."""

    request: str
    labels: tuple[float, ...]


def labels_of(body: bytes, task: Task) -> Labels:
    """Return what `{"id": ..., "label": ...}` says; `label` is one answer or a list, one per example.

    Raises:
        BadInput: It is not that, or names a class that does not exist.
    """
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadInput("The body is not JSON.", mend=SHAPE) from error
    if (
        not isinstance(told, dict)
        or set(told) != {"id", "label"}
        or not isinstance(told["id"], str)
    ):
        raise BadInput("The body does not say which request had which label.", mend=SHAPE)
    given = told["label"] if isinstance(told["label"], list) else [told["label"]]
    if not 0 < len(given) <= MOST_ROWS:
        raise BadInput("Between 1 and {most} labels fit here.", mend=SHAPE, most=MOST_ROWS)
    return Labels(told["id"], tuple(_label(value, task) for value in given))


def _label(value: Any, task: Task) -> float:
    if task.is_classification:
        if isinstance(value, str) and value in task.classes:
            return float(task.classes.index(value))
        raise BadInput(
            "{value} is not a class of {target}.",
            mend="The classes are: {known}.",
            value=repr(value)[:60],
            target=task.target,
            known=", ".join(task.classes[:20]),
        )
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise BadInput("{value} is not a number.", mend=SHAPE, value=repr(value)[:60])
    return float(value)


SHAPE = 'Send {{"id": "the id of the request", "label": "the true answer"}}.'
