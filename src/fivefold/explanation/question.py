"""What an explainer is asked, checked before the model is."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from fivefold.core.data import Inputs, as_tensor
from fivefold.core.errors import BadInput, NotMeasurable
from fivefold.core.model import Model
from fivefold.core.schema import Schema
from fivefold.perturb import Features, Groups, blank, word_groups


class Question(NamedTuple):
    """Examples to explain, rows that hidden features are taken from, and what counts as one feature."""

    x: Float[Tensor, "rows ..."]
    background: Float[Tensor, "background ..."]
    groups: Groups


def asked(
    model: Model, x: Inputs, background: Inputs, features: Features, *, hides_words: bool = False
) -> Question:
    """Return the question, known to make sense.

    Of a text the features are its words, and an explainer that hides them leaves them out: there is no
    other background.

    Args:
        model: What is explained.
        x: The examples.
        background: Rows that hidden features are taken from.
        features: What counts as one feature of a table or an image.
        hides_words: Whether the explainer only asks the model, so that it can explain texts.

    Raises:
        BadInput: No rows, another shape than the model eats, or values that are missing or infinite.
        NotMeasurable: The inputs are not one tensor, or several texts, which have no words in common.
    """
    if model.schema.is_text and hides_words:
        groups = groups_of(model.schema, x, features)
        checked = _checked(x, model.schema, "x")
        return Question(checked, blank(checked), groups)
    groups = features.of(model.schema)
    return Question(
        _checked(x, model.schema, "x"), _checked(background, model.schema, "background"), groups
    )


def groups_of(schema: Schema, x: Inputs, features: Features) -> Groups:
    """Return what counts as one feature of these examples.

    Raises:
        BadInput: There is no word in the text.
        NotMeasurable: There are several texts.
    """
    if not schema.is_text:
        return features.of(schema)
    if len(as_tensor(x)) != 1:
        raise NotMeasurable(
            "Each text has words of its own, and {n} texts were given at once.",
            mend="Explain one text at a time.",
            n=len(as_tensor(x)),
        )
    return word_groups(as_tensor(x)[0])


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
