"""What is to be predicted, read from its column."""

from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor

from fivefold.core.errors import BadInput
from fivefold.core.task import Task
from fivefold.core.text import Text, text
from fivefold.data.column import MOST_CATEGORIES
from fivefold.data.parse import Numbers, Words, in_order, parse
from fivefold.data.raw import Raw

Wanted: TypeAlias = Literal["auto", "classification", "regression"]
FEW = 10  # as many different whole numbers are still taken for classes


class Target(NamedTuple):
    """Targets with the task they belong to: class indices (int64) or numbers (float32)."""

    y: Tensor
    task: Task
    notes: tuple[Text, ...] = ()


def read_target(
    raw: Raw, name: str, wanted: Wanted, classes: tuple[str, ...], missing: tuple[str, ...]
) -> Target:
    """Return the targets; whether they are classes or numbers is said by `wanted` or seen.

    Text and at most ten different whole numbers are classes; anything else is a number.

    Raises:
        BadInput: A target is missing, infinite or not a class; or there is only one class.
    """
    is_class = wanted == "classification" or bool(classes)
    found = parse(raw, name, "category" if is_class else None, missing)
    _refuse_missing(found, raw, name)
    if wanted == "auto" and isinstance(found, Numbers) and found.is_whole:
        is_class = len(np.unique(found.values)) <= FEW
        found = parse(raw, name, "category", missing) if is_class else found
    if isinstance(found, Words):
        return _classes(found, raw, name, wanted, classes)
    notes = (_guess(name),) if wanted == "auto" else ()
    y = torch.from_numpy(found.values).float()
    if bool((y == y[0]).all()):
        raise BadInput(
            "The target is the same in every row.",
            where=raw.place(None, name),
            mend="Is it the right column?",
        )
    return Target(y, Task(kind="regression", target=name), notes)


def _classes(found: Words, raw: Raw, name: str, wanted: Wanted, classes: tuple[str, ...]) -> Target:
    if wanted == "regression":
        raise BadInput(
            "The target is text, and regression needs numbers.",
            where=raw.place(None, name),
            mend='Make numbers of it, or say task = "classification".',
        )
    words = found.values.to_list()
    names = classes or in_order(list(set(words)))
    _check_classes(names, len(words), raw.place(None, name))
    index = {n: i for i, n in enumerate(names)}
    for row, word in enumerate(words):
        if word not in index:
            raise BadInput(
                "{value} is not one of the declared classes.",
                where=raw.place(row, name),
                mend="Correct it, or add it to the classes: {known}.",
                value=repr(word)[:60],
                known=", ".join(names[:20]),
            )
    y = torch.tensor([index[w] for w in words])
    return Target(y, Task(classes=names, target=name))


def _check_classes(names: tuple[str, ...], rows: int, place: str) -> None:
    if len(names) < 2:
        raise BadInput(
            "There is only one class, {name}.",
            where=place,
            mend="Add examples of another class, or choose another target.",
            name=next(iter(names)),
        )
    if len(names) > MOST_CATEGORIES or (len(names) == rows and rows > FEW):
        raise BadInput(
            "The target has {n} different values in {rows} rows; these are not classes.",
            where=place,
            mend="Choose another target, or make numbers of it.",
            n=len(names),
            rows=rows,
        )


def _refuse_missing(found: Numbers | Words, raw: Raw, name: str) -> None:
    values = found.values
    missing = np.isnan(values) if isinstance(values, np.ndarray) else values.is_null().to_numpy()
    if missing.any():
        raise BadInput(
            "The target is missing here.",
            where=raw.place(int(missing.argmax()), name),
            mend="Fill it in, or leave the row out.",
        )


def _guess(name: str) -> Text:
    return text('{column} is predicted as a number; if it names classes, say task = "classification".', column=name)  # fmt: skip
