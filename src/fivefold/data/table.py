"""Tables from files and frames (the schema of a data set as in Gebru et al., 2021, Datasheets for Datasets)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from fivefold.core.data import Batch, Dataset
from fivefold.core.errors import BadInput
from fivefold.core.schema import Schema
from fivefold.core.text import Text, text
from fivefold.data.assemble import assemble, check_classes, default_split
from fivefold.data.column import ColumnSpec, Described, describe
from fivefold.data.leak import Policy, settle
from fivefold.data.parse import MISSING, Numbers, Words, parse
from fivefold.data.raw import Raw, frame_raw
from fivefold.data.split import Examples, Split
from fivefold.data.table_file import check_separator, read_table
from fivefold.data.target import Target, Wanted, read_target

LARGEST_WHOLE_32 = 2**24  # beyond it a 32-bit float cannot tell two whole numbers apart

Parsed = Mapping[str, Numbers | Words]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of a CSV, TSV, JSONL or Parquet file, with a schema.

    What a column's spec leaves out is read from training rows only, and marked as observed.

    Attributes:
        path: The file, relative to the recipe's folder.
        target: Column to predict.
        columns: What is known of the inputs, by name; a column that is not named here is an input all
            the same.
        task: Classes or numbers; `auto` takes text and at most ten different whole numbers for classes.
        classes: Names of the classes in the order of the outputs; by default sorted.
        unit: Unit of a target that is a number.
        drop: Columns that are no inputs.
        allow_personal: Columns that may be inputs although they are marked as personal.
        missing: Text that means a missing value.
        separator: What stands between the values of a CSV file.
        split: How to split; by default stratified for classes, random for numbers.
        leaks: What to do with a training row that has an exact copy in valid or test: drop it from
            train, refuse the data (`error`), or keep it.
    """

    path: str
    target: str
    columns: Mapping[str, ColumnSpec] = field(default_factory=dict[str, ColumnSpec])
    task: Wanted = "auto"
    classes: tuple[str, ...] = ()
    unit: str = ""
    drop: tuple[str, ...] = ()
    allow_personal: tuple[str, ...] = ()
    missing: tuple[str, ...] = MISSING
    separator: str = ","
    split: Split | None = None
    leaks: Policy = "drop"

    def __post_init__(self) -> None:
        check_separator(self.separator)
        if len(set(self.classes)) < len(self.classes) or len(self.classes) == 1:
            raise ValueError(f"classes = {list(self.classes)} must be two or more different names.")

    def load(self, folder: Path, rng: Generator) -> Dataset:
        """Return the rows of the file, split and described.

        Raises:
            BadInput: The file cannot be used; says where (line and column) and how to mend it.
        """
        return self._dataset(read_table(folder / self.path, self.separator), rng)

    def of(self, frame: Any, rng: Generator) -> Dataset:
        """Return the rows of a DataFrame, read exactly as a file would be; `path` is only its name.

        Raises:
            BadInput: The frame cannot be used.
        """
        return self._dataset(frame_raw(frame, self.path), rng)

    def _dataset(self, raw: Raw, rng: Generator) -> Dataset:
        found = read_target(raw, self._known(raw, self.target), self.task, self.classes, self.missing)  # fmt: skip
        target = found._replace(task=replace(found.task, unit=self.unit))
        split = self.split or default_split(target.task)
        names = self._inputs(raw, split.reads)
        parsed = {n: parse(raw, n, self._spec(n).wanted, self.missing) for n in names}
        rows = split.rows(self._examples(raw, target, split.reads), rng)
        check_classes(target.y, target.task, rows, raw.place(None, self.target))
        assigned = rows.train.numpy()
        rows, leaks = settle(_coded(parsed), target.y, rows, self.leaks, raw.origin)
        check_classes(target.y, target.task, rows, raw.place(None, self.target))
        inputs = self._described(raw, parsed, rows.train.numpy(), assigned)
        notes = (*target.notes, *inputs.notes, *leaks)
        data = Batch(inputs.x, target.y)
        return assemble(Path(self.path).stem, data, inputs.schema, target.task, rows, notes)

    def _spec(self, name: str) -> ColumnSpec:
        return self.columns.get(name, ColumnSpec())

    def _known(self, raw: Raw, name: str) -> str:
        """Return the name of a column that is there.

        Raises:
            BadInput: It is not.
        """
        if name in raw.frame.columns:
            return name
        near = get_close_matches(name, raw.frame.columns, n=1)
        raise BadInput(
            "There is no column {name}.",
            where=raw.origin,
            mend="Did you mean {near}?" if near else "There are: {known}.",
            name=name,
            near=near[0] if near else "",
            known=", ".join(raw.frame.columns[:20]),
        )

    def _inputs(self, raw: Raw, read: str) -> list[str]:
        """Return the names of the inputs.

        Raises:
            BadInput: The recipe names a column that is not there, none is left, or one is personal.
        """
        away = {self.target, *self.drop, *([read] if read else [])}
        for name in (*self.columns, *sorted(away), *self.allow_personal):
            self._known(raw, name)
        names = [n for n in raw.frame.columns if n not in away]
        if not names:
            raise BadInput(
                "No input is left beside the target.",
                where=raw.origin,
                mend="Take columns out of drop = [...].",
            )
        for name in names:
            if self._spec(name).is_personal and name not in self.allow_personal:
                raise BadInput(
                    "{column} identifies a person and would be an input.",
                    where=raw.place(None, name),
                    mend="Put it into drop = [...]; if it must be an input, name it in allow_personal = [...].",
                    column=name,
                )
        return names

    def _examples(self, raw: Raw, target: Target, read: str) -> Examples:
        """Return what the split may know."""
        y = target.y if target.task.is_classification else None
        values = raw.frame[read].to_list() if read else []
        told = [v.strip() if isinstance(v, str) else v for v in values]
        key = tuple(None if v in self.missing else v for v in told)
        place = partial(raw.place, column=read or self.target)
        return Examples(raw.frame.height, y, target.task.classes, key, place)

    def _described(
        self, raw: Raw, parsed: Parsed, train: np.ndarray, assigned: np.ndarray
    ) -> "Inputs":
        """Return the inputs. Names of categories may come from copies that were taken out of train."""
        made: list[Described] = []
        for name, found in parsed.items():
            place = partial(raw.place, column=name)
            rows = assigned if isinstance(found, Words) else train
            made.append(describe(name, self._spec(name), found, rows, place))
        x = _stacked([one.values for one in made])
        columns = tuple(one.column for one in made)
        notes = tuple(note for one in made for note in one.notes)
        return Inputs(
            x, Schema(columns=columns, shape=(len(columns),)), (*notes, *_collapsed(x, parsed))
        )


class Inputs(NamedTuple):
    """All inputs as one float32 table, with their schema."""

    x: Tensor
    schema: Schema
    notes: tuple[Text, ...]


def from_frame(
    frame: Any,
    *,
    target: str,
    rng: Generator,
    columns: Mapping[str, ColumnSpec] | None = None,
    task: Wanted = "auto",
    drop: tuple[str, ...] = (),
    split: Split | None = None,
) -> Dataset:
    """Return the rows of any eager DataFrame (polars, pandas, PyArrow, ...), split and described.

    For the rarer settings write `Table(path="name", target=..., ...).of(frame, rng)`.

    Args:
        frame: The DataFrame.
        target: Column to predict.
        rng: Decides the split.
        columns: What is known of the inputs, by name.
        task: Classes or numbers.
        drop: Columns that are no inputs.
        split: How to split; by default stratified for classes, random for numbers.

    Raises:
        BadInput: The frame cannot be used.
    """
    table = Table(
        path="frame", target=target, columns=columns or {}, task=task, drop=drop, split=split
    )
    return table.of(frame, rng)


def _coded(parsed: Parsed) -> Tensor:
    """Return inputs with categories numbered in any way: enough to tell copies."""
    return _stacked([_codes(found) for found in parsed.values()])


def _codes(found: Numbers | Words) -> np.ndarray:
    if isinstance(found, Numbers):
        return found.values
    return found.values.rank("dense").fill_null(0).to_numpy().astype(np.float64)


def _stacked(columns: list[np.ndarray]) -> Tensor:
    """Return columns as one float32 table."""
    return torch.from_numpy(np.ascontiguousarray(np.stack(columns).T, dtype=np.float32))


def _collapsed(x: Tensor, parsed: Parsed) -> list[Text]:
    """Return a note for each column that 32-bit floats cannot tell apart: whole numbers, or all of it."""
    notes: list[Text] = []
    for i, (name, found) in enumerate(parsed.items()):
        if not isinstance(found, Numbers):
            continue
        left = len(np.unique(x[:, i].numpy()))
        large = found.is_whole and np.abs(np.nan_to_num(found.values)).max() > LARGEST_WHOLE_32
        if (large or left == 1) and (n := len(np.unique(found.values)) - left):
            notes.append(_equal_note(n, name))
    return notes


def _equal_note(n: int, name: str) -> Text:
    return text("{n} different values of {column} become equal as 32-bit floats.", n=n, column=name)
