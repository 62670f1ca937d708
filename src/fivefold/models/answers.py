"""Check what a foreign predictor answers, and turn it into what the toolkit reads."""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.core.errors import BadInput
from fivefold.core.task import Task

Kind: TypeAlias = Literal["probabilities", "logits", "numbers"]
LEAST = 1e-12  # a probability of 0 becomes this, so that its logarithm is a number
CLOSE = 1e-3  # how far probabilities may sum from 1


def outputs_from(
    answer: Any, n: int, task: Task, kind: Kind, where: str
) -> Float[Tensor, "batch outputs"]:
    """Return logits (log-probabilities) or numbers for `n` inputs.

    With two classes, a single column speaks of the second.

    Raises:
        BadInput: It is no array of numbers of the right shape, is not finite, or is not what `kind` says.
    """
    values = numbers_of(answer, where)
    if values.shape == (n,):
        values = values[:, None]
    if task.n_outputs == 2 and values.shape == (n, 1):
        values = np.concatenate([1 - values if kind == "probabilities" else 0 * values, values], 1)
    if values.shape != (n, task.n_outputs):
        raise BadInput(
            "It answered with the shape {found} where {wanted} is needed: one row per input, one column per output.",
            where=where,
            mend="Check that it answers for a whole batch, with a column for each of the {n} outputs in the order of the task.",
            found=str(values.shape),
            wanted=str((n, task.n_outputs)),
            n=task.n_outputs,
        )
    if not np.isfinite(values).all():
        raise BadInput(
            "{n} of its answers are not finite numbers.",
            where=where,
            mend="Check how it treats missing or extreme inputs.",
            n=int((~np.isfinite(values)).any(1).sum()),
        )
    if kind == "probabilities":
        values = _logarithms(values, where)
    return torch.tensor(values, dtype=torch.float32)


def check_kind(task: Task, kind: Kind, where: str) -> None:
    """Check that answers of this kind can belong to `task`.

    Raises:
        BadInput: Numbers for a classification, or probabilities for a regression.
    """
    if task.is_classification == (kind == "numbers"):
        raise BadInput(
            "A {task} task cannot be answered with {kind}.",
            where=where,
            mend="Say what it answers: probabilities or logits for classification, numbers for regression.",
            task=task.kind,
            kind=kind,
        )


def aligned(found: Sequence[Any], task: Task, where: str) -> tuple[int, ...]:
    """Return where each class of `task` is among the classes `found`.

    Classes are compared as words; those of an estimator trained on indices are 0, 1, 2, ...

    Raises:
        BadInput: They are not the same classes.
    """
    names = [word_of(c) for c in found]
    wanted = list(task.classes)
    if sorted(names) != sorted(wanted):
        wanted = [str(i) for i in range(len(wanted))]
    if sorted(names) != sorted(wanted):
        raise BadInput(
            "It knows the classes {found}, and the task has {wanted}.",
            where=where,
            mend="Train it on the same classes, or on their indices 0, 1, 2, ... in the order of the task.",
            found=", ".join(names)[:200],
            wanted=", ".join(task.classes)[:200],
        )
    return tuple(names.index(name) for name in wanted)


def word_of(label: Any) -> str:
    """Return a class as a word; 1.0 is the class 1."""
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)


def numbers_of(answer: Any, where: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return an answer as an array.

    Raises:
        BadInput: It is not an array of numbers.
    """
    if isinstance(answer, Tensor):
        answer = answer.detach().cpu().numpy()
    try:
        return np.asarray(answer, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise BadInput(
            "It answered with something that is not an array of numbers: {problem}.",
            where=where,
            mend="Return one array with a row per input.",
            problem=str(error)[:200],
        ) from error


def _logarithms(
    values: np.ndarray[Any, np.dtype[np.float64]], where: str
) -> np.ndarray[Any, np.dtype[np.float64]]:
    if values.size and (values.min() < 0 or np.abs(values.sum(1) - 1).max() > CLOSE):
        raise BadInput(
            "Its answers are not probabilities: they are negative or do not sum to 1.",
            where=where,
            mend="If they are logits, say so with the answers logits.",
        )
    return np.log(np.maximum(values, LEAST))
