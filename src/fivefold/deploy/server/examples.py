"""Named tensors to examples: one tensor of all values, or one per column of a table."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from fivefold.core.codepoints import PADDING, encode_texts
from fivefold.core.schema import Column, Schema
from fivefold.core.text import text
from fivefold.deploy.server.refused import Refused, malformed, unfit
from fivefold.deploy.server.tensors import Array, Named

INPUT = "input"


class Examples:
    """Knows what the model eats.

    Args:
        schema: The columns, the shape of a picture, or the length of a text.
        most: Examples in one request.
    """

    def __init__(self, schema: Schema, most: int) -> None:
        self.schema = schema
        self.most = most
        self.columns = {c.name: i for i, c in enumerate(schema.columns)}

    def of(self, inputs: Sequence[Named]) -> tuple[Tensor, list[str]]:
        """Return the examples, and every string among the inputs.

        Raises:
            Refused: 400 if the shapes do not fit, 413 for too many examples, 422 for a column or category
                that is not known.
        """
        if inputs[0].shape[0] > self.most:  # before what they become takes many times their bytes
            raise Refused(413, "size", text("A request may hold {most} examples.", most=self.most))
        if len(inputs) == 1 and inputs[0].name == INPUT and INPUT not in self.columns:
            x = self._whole(inputs[0])
        else:
            x = self._columns(inputs)
        if not len(x):
            raise malformed(text("There are no examples in the request."))
        return x, [s for one in inputs for s in one.strings if s is not None]

    def _whole(self, one: Named) -> Tensor:
        if self.schema.is_text:
            return self._texts(one)
        if one.values is None or one.shape[1:] != self.schema.shape:
            raise malformed(
                text(
                    "Input {name}: numbers of shape {wanted} are needed.",
                    name=one.name,
                    wanted=str([-1, *self.schema.shape]),
                )
            )
        return _tensor(one.values)

    def _texts(self, one: Named) -> Tensor:
        (length,) = self.schema.shape
        if one.values is not None or len(one.shape) > 2 or None in one.strings:
            raise malformed(
                text("Input {name}: strings are needed, one per example.", name=one.name)
            )
        strings = [s for s in one.strings if s is not None]
        for row, string in enumerate(strings):
            if len(string) > length or chr(PADDING) in string:
                raise unfit(
                    text("Row {row} is longer than {most} characters, or holds NUL.", row=row, most=length)
                )  # fmt: skip
        return encode_texts(strings, length)

    def _columns(self, inputs: Sequence[Named]) -> Tensor:
        unknown = [one.name[:60] for one in inputs if one.name not in self.columns]
        if unknown:
            raise unfit(text("There is no input or column {name}.", name=unknown[0]))
        names = [one.name for one in inputs]
        if len(set(names)) < len(names):
            raise malformed(text("A column is given twice."))
        n = inputs[0].shape[0]
        for one in inputs:
            if one.shape not in ((n,), (n, 1)):
                raise malformed(
                    text("Column {name}: its shape must be [rows] as of the others.", name=one.name)
                )
        x = np.full((n, len(self.columns)), np.nan, dtype=np.float32)
        for one in inputs:
            place = self.columns[one.name]
            x[:, place] = _values(one, self.schema.columns[place])
        return torch.from_numpy(x)


def _values(one: Named, column: Column) -> Array:
    if one.values is not None:
        with np.errstate(over="ignore"):
            return one.values.reshape(-1).astype(np.float32)
    if not column.is_category:
        raise unfit(text("Column {name} holds numbers.", name=column.name))
    index = {name: float(i) for i, name in enumerate(column.categories)}
    found = np.empty(len(one.strings), dtype=np.float32)
    for row, string in enumerate(one.strings):
        if string and string not in index:
            raise unfit(
                text(
                    "Row {row}: {column} has no category of that name.", row=row, column=column.name
                )
            )
        found[row] = index[string] if string else np.nan
    return found


def _tensor(values: Array) -> Tensor:
    if values.dtype == np.float32 and values.flags.writeable:
        return torch.from_numpy(values)
    with np.errstate(over="ignore"):  # what overflows becomes infinite, and the schema refuses it
        return torch.from_numpy(values.astype(np.float32))
