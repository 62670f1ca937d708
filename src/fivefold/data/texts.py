"""Texts with a class or a number each, from a table file."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from fivefold.core.codepoints import encode_texts
from fivefold.core.data import Batch, Dataset
from fivefold.core.errors import BadInput
from fivefold.core.limits import Count
from fivefold.core.schema import Schema
from fivefold.core.text import Text, text
from fivefold.data.assemble import assemble, check_classes, default_split
from fivefold.data.leak import Policy, settle
from fivefold.data.parse import MISSING
from fivefold.data.raw import Raw, frame_raw
from fivefold.data.split import Examples, Rows, Split
from fivefold.data.table_file import check_separator, read_table
from fivefold.data.target import Target, Wanted, read_target

MOST_CHARACTERS = 400_000_000


@dataclass(frozen=True, kw_only=True)
class Texts:
    """Texts in a column of a CSV, TSV, JSONL or Parquet file; other columns are not read.

    Attributes:
        path: The file, relative to the recipe's folder.
        target: Column to predict.
        text: Column of the text.
        task: Classes or numbers; `auto` takes text and at most ten different whole numbers for classes.
        classes: Names of the classes in the order of the outputs; by default sorted.
        unit: Unit of a target that is a number.
        longest: Characters that are kept of a text; how many were cut is noted.
        separator: What stands between the values of a CSV file.
        split: How to split; by default stratified for classes, random for numbers.
        leaks: What to do with a training text that has an exact copy in valid or test: drop it from
            train, refuse the data (`error`), or keep it.
    """

    path: str
    target: str
    text: str = "text"
    task: Wanted = "auto"
    classes: tuple[str, ...] = ()
    unit: str = ""
    longest: Count = 2000
    separator: str = ","
    split: Split | None = None
    leaks: Policy = "drop"

    def __post_init__(self) -> None:
        check_separator(self.separator)
        if self.text == self.target:
            raise ValueError(f"text and target are both {self.text!r}.")

    def load(self, folder: Path, rng: Generator) -> Dataset:
        """Return the texts, split and described.

        Raises:
            BadInput: The file cannot be used; says where (line and column) and how to mend it.
        """
        return self._dataset(read_table(folder / self.path, self.separator), rng)

    def of(self, frame: Any, rng: Generator) -> Dataset:
        """Return the texts of a DataFrame, read exactly as a file would be; `path` is only its name.

        Raises:
            BadInput: The frame cannot be used.
        """
        return self._dataset(frame_raw(frame, self.path), rng)

    def _dataset(self, raw: Raw, rng: Generator) -> Dataset:
        split_column = self.split.reads if self.split else ""
        for name in (self.text, self.target, *([split_column] if split_column else [])):
            _check_known(raw, name)
        found = read_target(raw, self.target, self.task, self.classes, MISSING)
        target = found._replace(task=replace(found.task, unit=self.unit))
        x, notes = self._encoded(raw)
        split = self.split or default_split(target.task)
        rows = split.rows(_examples(raw, target, split.reads), rng)
        check_classes(target.y, target.task, rows, raw.place(None, self.target))
        rows, said = settle(x, target.y, rows, self.leaks, raw.origin)
        check_classes(target.y, target.task, rows, raw.place(None, self.target))
        schema = Schema(shape=tuple(x.shape[1:]), is_text=True)
        told = (*target.notes, *notes, *said, *_near(raw, self.text, rows))
        return assemble(Path(self.path).stem, Batch(x, target.y), schema, target.task, rows, told)

    def _encoded(self, raw: Raw) -> tuple[Tensor, tuple[Text, ...]]:
        values = raw.frame[self.text].to_list()
        for row, value in enumerate(values):
            if not isinstance(value, str) or not value.strip():
                raise BadInput(
                    "There is no text here.",
                    where=raw.place(row, self.text),
                    mend="Fill it in, or leave the row out.",
                )
            if "\0" in value:  # it would vanish: texts are padded with it
                raise BadInput(
                    "There is a NUL byte in this text.",
                    where=raw.place(row, self.text),
                    mend="The file is damaged or not text; export it again as UTF-8.",
                )
        lengths = [len(value) for value in values]
        width = min(max(lengths), self.longest)
        if width * len(values) > MOST_CHARACTERS:
            raise BadInput(
                "These texts take {n} places; the limit is {most}.",
                where=raw.origin,
                mend="Keep fewer characters of each with longest = ..., or take a sample of the rows.",
                n=width * len(values),
                most=MOST_CHARACTERS,
            )
        n = sum(length > width for length in lengths)
        cut = text("{n} texts were cut after {longest} characters.", n=n, longest=width)
        return encode_texts(values, width), (cut,) if n else ()


def _check_known(raw: Raw, name: str) -> None:
    if name not in raw.frame.columns:
        raise BadInput(
            "There is no column {name}.",
            where=raw.origin,
            mend="There are: {known}.",
            name=name,
            known=", ".join(raw.frame.columns[:20]),
        )


def _examples(raw: Raw, target: Target, read: str) -> Examples:
    y = target.y if target.task.is_classification else None
    values = raw.frame[read].to_list() if read else []
    told = [v.strip() if isinstance(v, str) else v for v in values]
    key = tuple(None if v in MISSING else v for v in told)
    return Examples(raw.frame.height, y, target.task.classes, key, partial(raw.place, column=read))


def _near(raw: Raw, column: str, rows: Rows) -> tuple[Text, ...]:
    """Return a note on texts of valid and test that are in train but for case, spaces and punctuation."""
    plain = ["".join(filter(str.isalnum, t.casefold())) for t in raw.frame[column].to_list()]
    known = {plain[i] for i in rows.train.tolist()}
    asked = torch.cat([rows.valid, rows.test]).tolist()
    if n := sum(plain[i] in known for i in asked):
        return (text("{n} texts of valid and test are in train but for case, spaces or punctuation.", n=n),)  # fmt: skip
    return ()
