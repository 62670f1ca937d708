"""One row in place of whatever is hidden (Sundararajan and Najmi, 2020, baseline Shapley)."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.core.errors import BadInput
from fivefold.core.schema import Schema
from fivefold.perturb import Behind


@dataclass(frozen=True, kw_only=True)
class BaselineRemoval:
    """A hidden feature takes its value in one row: fast, and an answer relative to that row alone.

    Attributes:
        kind: Mean or median of the background, value by value. Of whole numbers the mean is rounded, of
            categories the most frequent one is taken; missing values do not count.
        row: The row itself, in the order of the schema (flattened for images); then `kind` does not count.
    """

    kind: Literal["mean", "median"] = "mean"
    row: tuple[float, ...] = ()

    def behind(self, schema: Schema, background: Float[Tensor, "background ..."]) -> Behind:
        """Return the one row.

        Raises:
            BadInput: `row` has another length than an example, or a value that is not a finite number.
        """
        if self.row:
            return Behind(self._given(schema).to(background.dtype))
        flat = background.flatten(1)
        row = flat.nanmean(0) if self.kind == "mean" else flat.nanquantile(0.5, 0)
        for i, column in enumerate(schema.columns):
            if column.is_category:
                row[i] = _most_frequent(flat[:, i])
            elif column.kind == "integer":
                row[i] = row[i].round()
        return Behind(row.to(background.dtype).reshape(1, *schema.shape))

    def _given(self, schema: Schema) -> Tensor:
        row = torch.tensor(self.row)
        if len(row) != schema.n_features:
            raise BadInput(
                "A baseline of {n} values was given for inputs of {wanted} values.",
                where="row",
                mend="Give one value for each, in the order of the schema.",
                n=len(row),
                wanted=schema.n_features,
            )
        for i, name in enumerate(schema.names()):
            may_lack = schema.is_table and schema.columns[i].is_optional and bool(row[i].isnan())
            if not (bool(row[i].isfinite()) or may_lack):
                raise BadInput(
                    "{name} is missing or infinite in the baseline.",
                    where="row",
                    mend="Fill the gap, or declare the column as optional in the schema.",
                    name=name,
                )
        return row.reshape(1, *schema.shape)


def _most_frequent(values: Float[Tensor, " background"]) -> Tensor:
    known = values[~values.isnan()]
    if not len(known):
        return values.new_tensor(torch.nan)
    found, count = known.unique(return_counts=True)
    return found[count.argmax()]
