"""What an explainer is asked, checked before the model is."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from fivefold.core.data import Inputs
from fivefold.core.errors import BadInput, NotMeasurable
from fivefold.core.model import Model
from fivefold.core.schema import Schema
from fivefold.perturb import Features, Groups


class Question(NamedTuple):
    """Examples to explain, rows that hidden features are taken from, and what counts as one feature."""

    x: Float[Tensor, "rows ..."]
    background: Float[Tensor, "background ..."]
    groups: Groups


def asked(model: Model, x: Inputs, background: Inputs, features: Features) -> Question:
    """Return the question, known to make sense.

    Raises:
        BadInput: No rows, another shape than the model eats, or values that are missing or infinite.
        NotMeasurable: The inputs are not one tensor.
    """
    groups = features.of(model.schema)
    return Question(
        _checked(x, model.schema, "x"), _checked(background, model.schema, "background"), groups
    )


def _checked(x: Inputs, schema: Schema, where: str) -> Float[Tensor, "rows ..."]:
    if not isinstance(x, Tensor):
        raise NotMeasurable(
            "Features of inputs that are several tensors cannot be hidden one by one.",
            mend="Use a model of tables or images.",
        )
    if tuple(x.shape[1:]) != schema.shape or not len(x):
        raise BadInput(
            "Inputs of shape {found} were given, and the model eats rows of shape {wanted}.",
            where=where,
            mend="Give at least one row, with the values in the order of the schema.",
            found=str(tuple(x.shape)),
            wanted=str(schema.shape),
        )
    _refuse_gaps(x, schema, where)
    return x.float()


def _refuse_gaps(x: Tensor, schema: Schema, where: str) -> None:
    gaps = (x.isnan() | x.isinf()).flatten(1)
    for i, column in enumerate(schema.columns):
        if column.is_optional:
            gaps[:, i] &= x[:, i].isinf()
    if gaps.any():
        row, value = (int(i) for i in gaps.nonzero()[0])
        raise BadInput(
            "{name} is missing or infinite in row {row}.",
            where=where,
            mend="Fill the gap, or declare the column as optional in the schema.",
            name=schema.names()[value],
            row=row,
        )
