"""Checked examples and their rows, put together as a data set."""

from torch import Tensor

from fivefold.core.data import Batch, Dataset, Seen, Splits
from fivefold.core.errors import BadInput
from fivefold.core.fingerprint import of_batch, of_json
from fivefold.core.schema import Schema
from fivefold.core.task import Task
from fivefold.core.text import Text
from fivefold.data.near import near_copies
from fivefold.data.split import Random, Rows, Split, Stratified


def default_split(task: Task) -> Split:
    """Return the split that is used if none is named: stratified for classes, random for numbers."""
    return Stratified() if task.is_classification else Random()


def check_classes(y: Tensor, task: Task, rows: Rows, place: str) -> None:
    """Refuse a split in which some class never trains.

    Raises:
        BadInput: As said.
    """
    if not task.is_classification:
        return
    counts = y[rows.train].bincount(minlength=len(task.classes))
    if bool((counts == 0).any()):
        raise BadInput(
            "Class {name} has no training example.",
            where=place,
            mend="Use data.Stratified, add examples of it, or leave the class out.",
            name=task.classes[int(counts.argmin())],
        )


def assemble(
    name: str,
    data: Batch,
    schema: Schema,
    task: Task,
    rows: Rows,
    notes: tuple[Text, ...] = (),
) -> Dataset:
    """Return the data set whose splits are `rows` of `data`."""
    assert isinstance(data.x, Tensor)
    train, valid, test = (data.take(part) for part in rows)
    notes = (*notes, *near_copies(data.x, schema, rows))
    splits = Splits(Seen(train, valid), test)
    return Dataset(name, splits, schema, task, fingerprint(splits, schema, task), notes)


def fingerprint(splits: Splits, schema: Schema, task: Task) -> str:
    """Return a hash of all examples in their order and splits, of the schema and of the task."""
    parts = (splits.seen.train, splits.seen.valid, splits.test)
    columns = [vars(column) for column in schema.columns]
    return of_json([columns, schema.shape, vars(task), *map(of_batch, parts)])
