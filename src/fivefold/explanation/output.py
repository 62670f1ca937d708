"""What is explained: the log-odds of each class, or the number itself."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fivefold.core.errors import BadInput
from fivefold.core.model import Model
from fivefold.core.task import Task
from fivefold.core.text import Text, text
from fivefold.perturb import Score

NEVER = -50.0  # log-probability of what a black box says cannot be


def score_of(model: Model) -> Score:
    """Return the score that attributions add up to.

    Log-odds rather than logits: logits may all be shifted by any amount without changing an answer,
    and attributions of two models could not be compared.
    """
    if model.task.is_classification:
        return lambda x: log_odds(model.predict(x))
    return lambda x: model.predict(x).double()


def log_odds(logits: Float[Tensor, "batch classes"]) -> Float[Tensor, "batch classes"]:
    """Return log(p / (1 - p)) of each class, in double precision; logits and log-probabilities give the same.

    Differentiable, and exact where a probability is 1 in floating point.
    """
    logits = logits.double().masked_fill(logits == -torch.inf, NEVER)
    top = logits.argmax(-1, keepdim=True)
    rest = torch.full_like(logits, -torch.inf)
    others = logits.scatter(-1, top, rest)
    against_top = logits.gather(-1, top) - others.logsumexp(-1, keepdim=True)
    log_p = logits.log_softmax(-1)
    share = log_p.exp().scatter(-1, top, torch.zeros_like(top, dtype=log_p.dtype))
    return (log_p - torch.log1p(-share)).scatter(-1, top, against_top)


def output_names(task: Task) -> tuple[str, ...]:
    """Return the name of each output."""
    return task.classes if task.is_classification else (task.target,)


def output_index(outputs: Sequence[str], name: str, score: Float[Tensor, " output"]) -> int:
    """Return the position of an output; of the one with the highest score if it has no name.

    Raises:
        BadInput: There is no such output.
    """
    if not name:
        return int(score.argmax())
    if name not in outputs:
        raise BadInput(
            "There is no output {name}.",
            where="output",
            mend="There are: {known}.",
            name=name,
            known=", ".join(outputs),
        )
    return outputs.index(name)


def unit(task: Task) -> Text:
    """Return what one unit of an attribution is."""
    if task.is_classification:
        return text("log-odds")
    return (
        text("{unit} of the target", unit=task.unit) if task.unit else text("units of the target")
    )


def chosen(model: Model, x: Tensor) -> Int[Tensor, " batch"]:
    """Return the output to look at for each example: the predicted class, or the only number."""
    return model.predict(x).argmax(-1)
