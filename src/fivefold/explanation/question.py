"""What an explainer is asked, checked before the model is."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from fivefold.core.data import Inputs, as_tensor
from fivefold.core.errors import BadInput, NotMeasurable
from fivefold.core.model import Model
from fivefold.core.schema import Schema
from fivefold.explanation.removal import MarginalRemoval, Removal
from fivefold.perturb import Behind, Features, Groups, blank, superpixel_groups, word_groups

AS_IT_IS = MarginalRemoval()


class Question(NamedTuple):
    """Examples to explain, rows that hidden features are taken from, and what counts as one feature.

    `removal` is what stands behind hidden features where that is not each of the rows as it is.
    """

    x: Float[Tensor, "rows ..."]
    background: Float[Tensor, "background ..."]
    groups: Groups
    removal: Behind | None = None

    @property
    def behind(self) -> Behind:
        """What stands behind hidden features."""
        return Behind(self.background) if self.removal is None else self.removal


def asked(
    model: Model,
    x: Inputs,
    background: Inputs,
    features: Features,
    *,
    hides_words: bool = False,
    removal: Removal = AS_IT_IS,
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
        removal: How a hidden feature is replaced.

    Raises:
        BadInput: No rows, another shape than the model eats, or values that are missing or infinite.
        NotMeasurable: The inputs are not one tensor, or several texts, which have no words in common; or
            they cannot be hidden that way.
    """
    if model.schema.is_text and hides_words:
        _refuse_removal_of_words(removal)
        groups = groups_of(model.schema, x, features)
        checked = _checked(x, model.schema, "x")
        return Question(checked, blank(checked), groups)
    groups = groups_of(model.schema, x, features)
    checked = _checked(x, model.schema, "x")
    rows = _checked(background, model.schema, "background")
    if removal == AS_IT_IS:
        return Question(checked, rows, groups)
    behind = removal.behind(model.schema, rows)
    return Question(checked, behind.rows, groups, behind)


def refuse_conditional(question: Question, explainer: str) -> None:
    """Refuse what an explainer that reads the model cannot follow: it needs rows that count alike, as they are.

    Raises:
        NotMeasurable: Hidden features depend on what is known, or the rows are weighted.
    """
    behind = question.behind
    if behind.given is None and behind.weight is None:
        return
    raise NotMeasurable(
        "{explainer} is exact for hidden features that are taken from rows as they are, whatever is known.",
        mend="Use MarginalRemoval or BaselineRemoval, or LeverageSHAP, which takes any removal.",
        explainer=explainer,
    )


def _refuse_removal_of_words(removal: Removal) -> None:
    if removal != AS_IT_IS:
        raise NotMeasurable(
            "Hidden words of a text are left out; there is no other way to remove them here.",
            mend="Leave `removal` as it is.",
        )


def groups_of(schema: Schema, x: Inputs, features: Features) -> Groups:
    """Return what counts as one feature of these examples.

    Raises:
        BadInput: There is no word in the text.
        NotMeasurable: There are several texts, or several images whose superpixels are asked for.
    """
    if not schema.is_text:
        return _superpixels(schema, x, features) or features.of(schema)
    if len(as_tensor(x)) != 1:
        raise NotMeasurable(
            "Each text has words of its own, and {n} texts were given at once.",
            mend="Explain one text at a time.",
            n=len(as_tensor(x)),
        )
    return word_groups(as_tensor(x)[0])


def _superpixels(schema: Schema, x: Inputs, features: Features) -> Groups | None:
    """Return the pieces of the one image; None if pieces are not asked for."""
    if schema.is_table or not features.pieces:
        return None
    image = _checked(x, schema, "x")
    if len(image) != 1:
        raise NotMeasurable(
            "Each image has superpixels of its own, and {n} images were given at once.",
            mend="Explain one image at a time, or set `pieces` to 0 for patches that all images share.",
            n=len(image),
        )
    return superpixel_groups(image[0], features.pieces)


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
    refuse_gaps(x, schema, where)
    return x.float()


def refuse_gaps(x: Float[Tensor, "rows ..."], schema: Schema, where: str) -> None:
    """Raise an error for the first value that is infinite, or missing where the schema does not allow it.

    Raises:
        BadInput: There is one.
    """
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
