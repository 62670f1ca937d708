"""The data of an audit, from the files that people have."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Generator

from fivefold.core.codec import decode
from fivefold.core.data import Dataset
from fivefold.core.errors import BadInput
from fivefold.core.model import Model
from fivefold.core.schema import Column, Schema
from fivefold.core.source import Source
from fivefold.data import ColumnSpec, Table, Texts
from fivefold.data.array_file import read_arrays
from fivefold.data.image import Pictures, pictures, read_folder
from fivefold.data.parse import in_order
from fivefold.data.table_file import read_table
from fivefold.data.target import Wanted
from fivefold.recipe.audit.members import Members, without_members
from fivefold.recipe.key import seed_of
from fivefold.recipe.tomlfile import read_toml

if TYPE_CHECKING:
    import polars as pl

RECIPE = ".toml"


@dataclass(frozen=True, kw_only=True)
class Given:
    """Which files hold the rows, and what they mean.

    Attributes:
        data: A table (CSV, TSV, JSONL, Parquet), images (`.npz` or a folder with one subfolder per
            class), or a recipe, of which `[data]` is taken.
        target: Column to predict; images have none.
        text: Column with the text to read; empty if all columns are inputs.
        train: The rows that the model was trained on, in the same form.
        classes: Names of the classes in the order of the model's outputs; by default sorted.
        task: Classes or numbers.
        drop: Columns that are no inputs.
        seed: Decides the split.
    """

    data: Path
    target: str = ""
    text: str = ""
    train: Path | None = None
    classes: tuple[str, ...] = ()
    task: Wanted = "auto"
    drop: tuple[str, ...] = ()
    seed: int = 0

    def load(self, like: Model | None = None) -> Dataset:
        """Return the rows: `train` is what the model was trained on, or else a share kept as reference.

        Args:
            like: A model that knows what it reads; its columns, categories and classes are taken.

        Raises:
            BadInput: A file cannot be used; says where and how to mend it.
        """
        rng = Generator().manual_seed(seed_of(self.seed, "data"))
        if self.data.suffix.lower() == RECIPE:
            return self._of_recipe(like)
        if self.data.suffix.lower() == ".npz" or self.data.is_dir():
            found = self._images(like, rng)
        else:
            found = self._table(like, rng)
        found = without_members(found) if self.train else found
        return found._replace(name=self.data.stem)

    def _of_recipe(self, like: Model | None) -> Dataset:
        if self.train:
            raise BadInput(
                "A recipe says itself which rows are for training.",
                where=str(self.train),
                mend="Leave out --train, or give --data the file with the rows.",
            )
        table = read_toml(self.data).table
        source = decode(
            table.get("data"), Source, where="data", plugins=tuple(table.get("plugins", ()))
        )
        rng = Generator().manual_seed(seed_of(int(table.get("seed", self.seed)), "data"))
        found = source.load(self.data.parent, rng)
        if like is not None:
            _check_schema(like.schema, found.schema)
        return found

    def _images(self, like: Model | None, rng: Generator) -> Dataset:
        declared = self.classes or (like.task.classes if like else ())
        files = [f for f in (self.train, self.data) if f]
        parts = [_pictures(f, declared) for f in files]
        names = declared or in_order(list({c for p in parts for c in p.classes}))
        y = torch.cat([torch.tensor([names.index(c) for c in p.classes])[p.y] for p in parts])
        joined = Pictures(_joined([p.x for p in parts], str(self.train)), y, names)
        split = Members(n=len(parts[0].y) if self.train else 0)
        leaks = "keep" if self.train else "drop"
        found = pictures(self.data.stem, joined, split, leaks, str(self.data), rng)
        if like is not None:
            _check_schema(like.schema, found.schema)
        return found

    def _table(self, like: Model | None, rng: Generator) -> Dataset:
        if not (self.target or like):
            raise BadInput(
                "Nobody says which column is to be predicted.",
                where=str(self.data),
                mend="Name it with --target COLUMN.",
            )
        if not self.train and like is None:
            return self._source(self.data.name, 0, {}, self.classes).load(self.data.parent, rng)
        frame, n = self._frame(like)
        columns = {c.name: spec_of(c) for c in like.schema.columns} if like else {}
        classes = self.classes or (like.task.classes if like else ())
        return self._source(self.data.name, n, columns, classes, like).of(frame, rng)

    def _source(
        self,
        path: str,
        n: int,
        columns: Mapping[str, ColumnSpec],
        classes: tuple[str, ...],
        like: Model | None = None,
    ) -> Table | Texts:
        shared: dict[str, Any] = {
            "path": path,
            "target": self.target or (like.task.target if like else ""),
            "task": like.task.kind if like else self.task,
            "classes": classes,
            "split": Members(n=n),
            "leaks": "keep" if n else "drop",
        }
        if self.text:
            return Texts(text=self.text, **shared)
        return Table(columns=columns, drop=self.drop, **shared)

    def _frame(self, like: Model | None) -> tuple["pl.DataFrame", int]:
        """Return the rows of both files, those of `train` first, and how many these are."""
        import polars as pl

        frame = read_table(self.data).frame
        wanted = frame.columns
        if like is not None and like.schema.is_table:
            wanted = [*(c.name for c in like.schema.columns), self.target or like.task.target]
            frame = _select(frame, wanted, self.data)
        if self.train is None:
            return frame, 0
        seen = _select(read_table(self.train).frame, wanted, self.train)
        try:
            return pl.concat([seen, frame], how="vertical_relaxed"), seen.height
        except pl.exceptions.PolarsError as error:
            raise BadInput(
                "The columns of the two files differ in kind: {problem}.",
                where=f"{self.train}, {self.data}",
                mend="Write both files in the same way.",
                problem=str(error).partition("\n")[0][:200],
            ) from error


def spec_of(column: Column) -> ColumnSpec:
    """Return what a model knows of a column, as it is declared before data are opened.

    Its ranges are left out where they were only seen: a new row may lie outside them.
    """
    return ColumnSpec(
        kind=column.kind,
        categories=column.categories,
        low=None if column.is_observed else column.low,
        high=None if column.is_observed else column.high,
        center=None if column.is_category else column.center,
        scale=None if column.is_category else column.scale,
        is_optional=column.is_optional or None,
        is_immutable=column.is_immutable,
        is_protected=column.is_protected,
        monotone=column.monotone,
        cuts=column.cuts,
    )


def _pictures(path: Path, declared: tuple[str, ...]) -> Pictures:
    if path.is_dir():
        return read_folder(path, "auto", declared)
    return Pictures(*read_arrays(path, declared))


def _joined(parts: list[torch.Tensor], where: str) -> torch.Tensor:
    shapes = [str(tuple(p.shape[1:])) for p in parts]
    if len(set(shapes)) > 1:
        raise BadInput(
            "The images of the two files differ in shape: {one} and {other}.",
            where=where,
            mend="Bring all images to one size.",
            one=shapes[0],
            other=shapes[1],
        )
    return torch.cat(parts)


def _select(frame: "pl.DataFrame", wanted: list[str], path: Path) -> "pl.DataFrame":
    for name in wanted:
        if name not in frame.columns:
            raise BadInput(
                "There is no column {name}.",
                where=str(path),
                mend="There are: {known}.",
                name=name,
                known=", ".join(frame.columns[:20]),
            )
    return frame.select(wanted)


def _check_schema(mine: Schema, given: Schema) -> None:
    if mine.names() != given.names() or mine.shape != given.shape:
        raise BadInput(
            "The model reads {mine}, and the data have {given}.",
            mend="Give data with the same columns, or images of the same size.",
            mine=", ".join(c.name for c in mine.columns)[:200] or str(mine.shape),
            given=", ".join(c.name for c in given.columns)[:200] or str(given.shape),
        )
