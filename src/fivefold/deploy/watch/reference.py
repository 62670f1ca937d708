"""What ordinary inputs and answers look like: counts in cells, which ship with the model and hold no row."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.core.data import Inputs, Seen
from fivefold.core.jsonfile import from_json, to_json
from fivefold.core.model import Model
from fivefold.core.schema import Schema
from fivefold.core.text import Text, text
from fivefold.deploy.watch.bins import (
    Bins,
    bins_of_categories,
    bins_of_column,
    bins_of_numbers,
)

REFERENCE = "reference.json"
FEWEST = 100  # rows without which a reference says nothing
FEWEST_ANSWERS = 50
MOST_COLUMNS = 200
PICTURE = ("brightness", "contrast", "sharpness")


@dataclass(frozen=True, kw_only=True)
class Confidence:
    """How sure the model was of its answers.

    Attributes:
        mean: Mean of the largest probability.
        deviation: Its standard deviation.
        n: Answers.
    """

    mean: float
    deviation: float
    n: int


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What to compare production with.

    Attributes:
        inputs: One per column that is watched; of images, what they look like as a whole.
        answers: Predicted classes or numbers on the validation split; None if it was too small.
        confidence: How sure the model was there; None for numbers.
        n: Training rows that were counted.
        reason: Why nothing was counted; empty if something was.
    """

    inputs: tuple[Bins, ...] = ()
    answers: Bins | None = None
    confidence: Confidence | None = None
    n: int = 0
    reason: Text = Text("")


def reference_of(model: Model, seen: Seen) -> Reference:
    """Return counts of the training inputs and of the model's answers to the validation split.

    Cells hold ten rows or none; cuts are rounded, or at a value that four in five rows share; columns that
    identify a person are left out. Under a privacy claim nothing is counted: exact counts of the rows would
    break it.

    Args:
        model: The model that ships.
        seen: What it was trained on.
    """
    if any(record.claim.privacy for record in model.lineage):
        return Reference(
            reason=text(
                "This model claims differential privacy, and counts of its training rows would break the claim; only declared ranges are watched."
            )
        )
    x = seen.train.x
    if not isinstance(x, Tensor) or not _is_watched(model.schema):
        return Reference(reason=text("The inputs are neither columns nor images."))
    if len(x) < FEWEST:
        return Reference(
            reason=text("There are only {n} training rows; a reference needs {least}.", n=len(x), least=FEWEST)
        )  # fmt: skip
    made = Reference(inputs=_inputs(model.schema, x), n=len(x))
    if seen.valid.size < FEWEST_ANSWERS:
        return made
    answers, confidence = _answers(model, seen.valid.x)
    return replace(made, answers=answers, confidence=confidence)


def reference_paper(model: Model, seen: Seen | None) -> str:
    """Return `reference.json`; without data it says so."""
    if seen is None:
        return to_json(
            Reference(reason=text("The data were not at hand when the bundle was made."))
        )
    return to_json(reference_of(model, seen))


def read_reference(folder: Path) -> Reference:
    """Return the reference of a bundle that has been verified; one that has none says so.

    Raises:
        Damaged: It is not what was written.
    """
    file = folder / REFERENCE
    if not file.is_file():
        return Reference(reason=text("The bundle has no reference to compare with."))
    return from_json(file.read_text(encoding="utf-8"), Reference, where=str(file))


def watched(schema: Schema) -> tuple[str, ...]:
    """Return the names of what is watched of an input."""
    if schema.is_table:
        return tuple(c.name for c in schema.columns if not c.is_personal)[:MOST_COLUMNS]
    return PICTURE if len(schema.shape) == 3 else ()


def features(schema: Schema) -> Callable[[Float[Tensor, "row ..."]], Float[Tensor, "row feature"]]:
    """Return the function that reads what is watched off inputs: columns as they are, pictures as a whole."""
    if not schema.is_table:
        return _look
    names = [c.name for c in schema.columns]
    places = torch.tensor([names.index(n) for n in watched(schema)], dtype=torch.long)
    return lambda x: x[:, places].double()


def _is_watched(schema: Schema) -> bool:
    return bool(watched(schema))


def _look(x: Float[Tensor, "row channel height width"]) -> Float[Tensor, "row feature"]:
    """Return mean, deviation and mean step to the next pixel of each picture."""
    x = x.double()
    step = x.diff(dim=-1).abs().flatten(1).mean(1) + x.diff(dim=-2).abs().flatten(1).mean(1)
    return torch.stack([x.flatten(1).mean(1), x.flatten(1).std(1), step], 1)


def _inputs(schema: Schema, x: Float[Tensor, "row ..."]) -> tuple[Bins, ...]:
    values = features(schema)(x)
    if not schema.is_table:
        return tuple(bins_of_numbers(name, values[:, i]) for i, name in enumerate(PICTURE))
    columns = {c.name: c for c in schema.columns}
    return tuple(
        bins_of_column(columns[name], values[:, i]) for i, name in enumerate(watched(schema))
    )


def _answers(model: Model, x: Inputs) -> tuple[Bins, Confidence | None]:
    answers, sure = answered(model.predict(x), is_classification=model.task.is_classification)
    if not model.task.is_classification:
        return bins_of_numbers("answers", answers), None
    confidence = Confidence(mean=float(sure.mean()), deviation=float(sure.std()), n=len(sure))
    return bins_of_categories("answers", model.task.classes, answers), confidence


def answered(
    outputs: Float[Tensor, "row output"], *, is_classification: bool
) -> tuple[Float[Tensor, " row"], Float[Tensor, " row"]]:
    """Return the answer to each row, a class index or a number, and how sure the model was (NaN of a number)."""
    outputs = outputs.detach().double()
    if not is_classification:
        return outputs.flatten(1)[:, 0], torch.full((len(outputs),), torch.nan, dtype=torch.float64)
    sure, answers = outputs.softmax(-1).max(-1)
    return answers.double(), sure
