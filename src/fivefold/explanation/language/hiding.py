"""What stands for a hidden word: nothing, or a token in the place of each of its tokens."""

from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.core.errors import BadInput, NotMeasurable
from fivefold.explanation.explainer import Explainer
from fivefold.explanation.gradients import IntegratedGradients
from fivefold.explanation.saliency import InputXGradient, SmoothGrad
from fivefold.models.language import ReadsTokens, StandIn

Hide: TypeAlias = Literal["auto", "delete", "mask", "pad", "unk", "zero"]
STAND_INS: tuple[StandIn, ...] = ("mask", "pad", "unk")  # the first that exists is taken


def settled(hide: Hide, explainer: Explainer, model: object) -> Hide:
    """Return how words are hidden: as asked, or else left out, unless gradients need a stand-in.

    Raises:
        NotMeasurable: The explainer and the model do not go together with it.
    """
    has_line = isinstance(explainer, IntegratedGradients | InputXGradient | SmoothGrad)
    if hide == "delete" and has_line:
        raise NotMeasurable(
            "{step} walks from hidden words to known ones, and no line leads to a word that is left out.",
            mend="Let a token stand for hidden words (hide: mask, pad, unk or zero).",
            step=type(explainer).__name__,
        )
    if hide == "delete" or (hide == "auto" and not has_line):
        return "delete"
    if not isinstance(model, ReadsTokens):
        raise NotMeasurable(
            "The tokens of a {model} are not known, so that none can stand for a hidden word.",
            mend="Leave words out (hide: delete), with an explainer that only asks the model.",
            model=type(model).__name__,
        )
    return _first(model) if hide == "auto" else hide


def stand_in_of(model: ReadsTokens, hide: Hide) -> Float[Tensor, " width"]:
    """Return the embedding that stands for a hidden token.

    Raises:
        BadInput: The tokenizer has no such token.
    """
    if hide not in STAND_INS:
        return torch.zeros_like(model.embeddings(torch.zeros(1, dtype=torch.int64))[0])
    token = model.stand_in(hide)
    if token is None:
        raise BadInput(
            "The tokenizer of this model has no token {kind}.",
            where="hide",
            mend="Take another one; zero is always there.",
            kind=hide,
        )
    return model.embeddings(torch.tensor([token]))[0]


def _first(model: ReadsTokens) -> Hide:
    for kind in STAND_INS:
        if model.stand_in(kind) is not None:
            return kind
    return "zero"
