"""Words of a prompt as what made an answer likely, or likelier than another (Yin and Neubig, 2022, arXiv 2202.10419)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from fivefold.core.codepoints import encode_texts
from fivefold.core.errors import BadInput, NotMeasurable
from fivefold.core.schema import Schema
from fivefold.core.task import Task
from fivefold.core.text import Text, text
from fivefold.explanation.attribution import Attribution
from fivefold.explanation.exact import ExactShapley
from fivefold.explanation.explainer import Explainer
from fivefold.explanation.gradients import IntegratedGradients
from fivefold.explanation.language.hiding import Hide, settled
from fivefold.explanation.language.view import AskedWords, OpenWords, asked_about, table_of
from fivefold.explanation.language.words import check_same, gates_of
from fivefold.explanation.language.written import Written, columns_of, without, written
from fivefold.explanation.leverage import LeverageSHAP
from fivefold.models.language import ContinuesTokens, Generates

FEW = 10  # words that are listed in full: 1,024 prompts
NATS = text("nats of log-probability")
NUMBER = Task(kind="regression")


class Prompt(NamedTuple):
    """What the model is given; only the words of `text` are explained, the rest always stays."""

    text: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True, kw_only=True)
class AnswerExplainer:
    """How much each word of a prompt moved the log-probability of an answer.

    The values of all tokens add up to those of the answer, because its log-probability is the sum of
    theirs. An answer and another one in its place are compared by the difference of their log-probabilities,
    whatever their lengths.

    Attributes:
        explainer: What is asked, with its own settings.
        hide: What a hidden word becomes; see `WordExplainer`.
        each_token: Whether every token of the answer is an output of its own (tokens that spell one character are one).
    """

    explainer: Explainer = LeverageSHAP()
    hide: Hide = "auto"
    each_token: bool = True

    def __call__(
        self,
        model: Generates,
        prompt: Prompt | str,
        answer: str,
        *,
        instead: str = "",
        rng: Generator,
    ) -> Attribution:
        """Return the attributions of one row: words of the prompt by tokens of the answer.

        Args:
            model: A model of language.
            prompt: What it is given.
            answer: The answer to explain, beginning with the space that belongs to it, if one does.
            instead: Another answer; then the output is the first rather than this one.
            rng: Source of whatever is sampled.

        Raises:
            BadInput: No word in the prompt, no answer, or more than the model can read.
            NotMeasurable: This kind of model cannot be explained this way.
        """
        spoken = _spoken(model, answer, instead, each_token=self.each_token)
        shown = _shown(prompt)
        hide = settled(self.hide, self.explainer, model)
        words, shown = _words(model, spoken, shown, hide)
        found = asked_about(self.explainer, words, rng=rng)
        method = f"{found.method}, hide={hide}"
        return replace(
            found,
            groups=shown.groups,
            outputs=spoken.outputs,
            unit=NATS,
            method=method,
            x=shown.points[None],
            schema=Schema(shape=tuple(shown.points.shape), is_text=True),
        )


def explain_answer(
    model: Generates, prompt: Prompt | str, answer: str, *, instead: str = "", rng: Generator
) -> Attribution:
    """Return how much each word of a prompt moved the log-probability of an answer, and why this way.

    Up to 10 words are listed in full; of more, gradients are taken where the model is open, and sets of
    words are drawn where it is not. `AnswerExplainer` takes any explainer.

    Args:
        model: A model of language.
        prompt: What it is given.
        answer: The answer to explain.
        instead: Another answer; then the output is the first rather than this one.
        rng: Source of whatever is sampled.
    """
    explainer, reason = _suited(model, _shown(prompt).groups.n)
    found = AnswerExplainer(explainer=explainer)(model, prompt, answer, instead=instead, rng=rng)
    return replace(found, reason=reason)


class _Spoken(NamedTuple):
    """Answers whose log-probability is explained, and how their tokens become outputs."""

    answers: tuple[str, ...]
    outputs: tuple[str, ...]
    joined: Callable[[Sequence[Float[Tensor, "batch token"]]], Float[Tensor, "batch outputs"]]


def _spoken(model: Generates, answer: str, instead: str, *, each_token: bool) -> _Spoken:
    if answer == instead:
        raise BadInput(
            "The answer is empty, or the same as the one it is compared with.",
            where="answer",
            mend="Give an answer, and another one or none.",
        )
    pieces = model.pieces(answer)
    if instead:
        model.pieces(instead)
        name = f"{answer.strip()} rather than {instead.strip()}"
        return _Spoken((answer, instead), (name,), lambda told: _total(told[0]) - _total(told[1]))
    if each_token:
        return _Spoken((answer,), columns_of([_legible(p) for p in pieces]), lambda told: told[0])
    return _Spoken((answer,), (answer.strip(),), lambda told: _total(told[0]))


def _legible(piece: str) -> str:
    """Return a piece without spaces around it, or signs for what is nothing else."""
    return piece.strip() or piece.replace(" ", "␣").replace("\n", "↵") or "␣"


def _total(told: Float[Tensor, "batch token"]) -> Float[Tensor, "batch 1"]:
    return told.sum(1, keepdim=True)


def _shown(prompt: Prompt | str) -> Written:
    given = Prompt(prompt) if isinstance(prompt, str) else prompt
    points = encode_texts([given.text], len(given.text))[0]
    return written(points, given.before, given.after)


def _words(
    model: Generates, spoken: _Spoken, shown: Written, hide: Hide
) -> tuple[AskedWords | OpenWords, Written]:
    """Return the words that are asked about, and the prompt with them as features."""

    def asked(prompts: Sequence[str]) -> Tensor:
        return spoken.joined([model.log_probabilities(prompts, a) for a in spoken.answers])

    if hide == "delete":
        schema = table_of(shown.groups.n)

        def score(rows: Tensor) -> Tensor:
            return asked([without(shown, keep) for keep in rows > 0.5])

        return AskedWords(function=score, schema=schema, task=NUMBER), shown
    if not isinstance(model, ContinuesTokens):
        raise NotMeasurable(
            "A {model} does not answer from embeddings.",
            mend="Leave words out (hide: delete), with an explainer that only asks the model.",
            model=type(model).__name__,
        )

    def answer(embedded: Tensor) -> Tensor:
        return spoken.joined([model.continued(embedded, a) for a in spoken.answers])

    net, shown = gates_of(model, answer, shown, hide)
    words = OpenWords(net=net, schema=table_of(shown.groups.n), task=NUMBER)
    check_same(words.predict(torch.ones(1, shown.groups.n)), asked([shown.whole]))
    return words, shown


def _suited(model: Generates, n: int) -> tuple[Explainer, Text]:
    if n <= FEW:
        return ExactShapley(), text(
            "Exact Shapley values: all {sets} sets of {n} words are few enough.", sets=2**n, n=n
        )
    if isinstance(model, ContinuesTokens):
        return IntegratedGradients(), text(
            "Integrated gradients: {n} words are many, and the model is open.", n=n
        )
    budget = max(1024, 16 * n)
    return LeverageSHAP(budget=budget), text(
        "Shapley values from {budget} sampled sets: {n} words are too many to list all sets.",
        budget=budget,
        n=n,
    )
