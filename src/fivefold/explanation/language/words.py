"""Words of a text through the embeddings of their tokens (Sundararajan et al., 2017, and Atanasova et al., 2020)."""

from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from fivefold.core.data import Inputs, as_tensor
from fivefold.core.errors import BadInput, NotMeasurable
from fivefold.core.model import Model
from fivefold.explanation.attribution import Attribution
from fivefold.explanation.cost import Counted
from fivefold.explanation.explainer import Explainer
from fivefold.explanation.gradients import IntegratedGradients
from fivefold.explanation.language.gates import Answer, Gates
from fivefold.explanation.language.hiding import Hide, settled, stand_in_of
from fivefold.explanation.language.view import OpenWords, asked_about, table_of
from fivefold.explanation.language.written import Written, told_apart, word_of_tokens, written
from fivefold.explanation.output import score_of
from fivefold.explanation.question import groups_of
from fivefold.models.language import ClassifiesTokens, ReadsTokens
from fivefold.perturb import Features

CLOSE = 1e-3  # how far the answer from embeddings may be from the model's own, as a share of it


@dataclass(frozen=True, kw_only=True)
class WordExplainer:
    """Any explainer asked about the words of one text, with gradients or without.

    A word's tokens are moved together, from the embedding of a stand-in to their own; marks that the
    tokenizer adds stay. Words that share a token are one feature, because nobody can hide half a token:
    the characters of a Chinese word may be, if the model reads them as one. What lies behind the end of
    the model's window moves nothing. Gradients by words are exact sums over tokens; noise (SmoothGrad)
    moves each word towards and away from its stand-in.

    Attributes:
        explainer: What is asked, with its own settings.
        hide: What a hidden word becomes: nothing (delete), or the tokenizer's token mask, pad or unk in
            the place of each of its tokens, or an embedding of zeros. By default words are left out,
            and gradients, which need a stand-in, take the first of mask, pad, unk and zero that exists.
    """

    explainer: Explainer = IntegratedGradients()
    hide: Hide = "auto"

    def evaluations(self, n: int, rows: int, background: int) -> int:
        """Return at most how many inputs the model will answer; 0 if the explainer does not know."""
        return self.explainer.evaluations(n, 1, 1) if isinstance(self.explainer, Counted) else 0

    def __call__(
        self, model: Model, x: Inputs, background: Inputs, *, rng: Generator
    ) -> Attribution:
        """Return how much each word moved each output; `background` is not used.

        Raises:
            BadInput: There is no word, or no such stand-in.
            NotMeasurable: Several texts, inputs that are no texts, or a model whose tokens are not known.
        """
        if not model.schema.is_text:
            raise NotMeasurable(
                "These inputs have no words.",
                mend="Use the explainer itself for tables and images.",
            )
        groups_of(model.schema, x, Features())
        hide = settled(self.hide, self.explainer, model)
        if hide == "delete":
            return self.explainer(model, x, background, rng=rng)
        if not isinstance(model, ClassifiesTokens):
            raise NotMeasurable(
                "A {model} does not answer from embeddings.",
                mend="Leave words out (hide: delete), with an explainer that only asks the model.",
                model=type(model).__name__,
            )
        text = written(as_tensor(x)[0])
        net, text = gates_of(model, model.answer, text, hide)
        words = OpenWords(net=net, schema=table_of(text.groups.n), task=model.task)
        check_same(score_of(words)(torch.ones(1, text.groups.n)), score_of(model)(as_tensor(x)))
        found = asked_about(self.explainer, words, rng=rng)
        return replace(found, groups=text.groups, method=f"{found.method}, hide={hide}")


def gates_of(
    model: ReadsTokens, answer: Answer, text: Written, hide: Hide
) -> tuple[Gates, Written]:
    """Return the network of the words of a text, and the text with words that its tokens tell apart.

    Raises:
        BadInput: The tokenizer makes nothing of the text, or has no such stand-in.
    """
    tokens = model.tokens(text.whole)
    text = told_apart(text, tokens)
    word = word_of_tokens(text, tokens)
    if not (word >= 0).any():
        raise BadInput(
            "The tokenizer of this model makes nothing of the words of this text.",
            mend="Give a text that the model can read.",
        )
    with torch.no_grad():
        embedded, stand_in = model.embeddings(tokens.ids), stand_in_of(model, hide)
    return Gates(embedded, stand_in, word, answer), text


def check_same(found: Tensor, wanted: Tensor) -> None:
    """Check that the model answers from embeddings what it answers from the text.

    Raises:
        NotMeasurable: It does not: something else would be explained.
    """
    away = float((found - wanted).abs().max())
    if not away <= CLOSE * max(1.0, float(wanted.abs().max())):
        raise NotMeasurable(
            "From embeddings the model answers otherwise than from the text, by {away}.",
            mend="Leave words out (hide: delete), with an explainer that only asks the model.",
            away=away,
        )
