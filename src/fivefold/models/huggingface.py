"""A text classifier in a folder of Hugging Face transformers; local, without anybody's code and without pickles."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fivefold.core.codepoints import decode_texts
from fivefold.core.data import Inputs, as_tensor
from fivefold.core.errors import BadInput
from fivefold.core.lineage import Lineage
from fivefold.core.schema import Schema
from fivefold.core.task import Task
from fivefold.models.answers import aligned, outputs_from
from fivefold.models.folder import checked_folder, loaded
from fivefold.models.language.tokens import StandIn, Tokens, stand_in_of, tokens_of

CHUNK = 32
MOST_TOKENS = 512


@dataclass(frozen=True, kw_only=True)
class TextClassifier:
    """A sequence classifier with its own fast tokenizer. Gradients reach the embeddings of its tokens.

    Attributes:
        classifier: The network of transformers.
        tokenizer: Its tokenizer.
        task: What is predicted.
        schema: What it eats: texts.
        order: Where each class of the task stands among its outputs; () if as in the task.
        lineage: What was done to it, as far as anybody says.
    """

    classifier: Any = field(repr=False)
    tokenizer: Any = field(repr=False)
    task: Task
    schema: Schema
    order: tuple[int, ...] = ()
    lineage: Lineage = ()

    @torch.no_grad()
    def predict(self, x: Inputs) -> Float[Tensor, "batch outputs"]:
        """Return logits or numbers. A text longer than the model's window is cut, as its tokenizer does."""
        told = [torch.zeros(0, self.task.n_outputs)]
        texts = decode_texts(as_tensor(x))
        longest = self._longest
        for start in range(0, len(texts), CHUNK):
            part = texts[start : start + CHUNK]
            told_as = {"truncation": True, "max_length": longest, "return_tensors": "pt"}
            given = self.tokenizer(part, padding=True, **told_as)
            if not given["input_ids"].shape[1]:  # nothing is left of any of these texts
                told_as["max_length"] = 1
                given = self.tokenizer(part, padding="max_length", **told_as)
            logits = self.classifier(**given).logits
            kind = "logits" if self.task.is_classification else "numbers"
            told.append(outputs_from(logits, len(part), self.task, kind, "transformers"))
        found = torch.cat(told)
        return found[:, list(self.order)] if self.order else found

    def tokens(self, text: str) -> Tokens:
        """Return the text as the network reads it, cut where it does not read on."""
        return tokens_of(self.tokenizer, text, self._longest)

    def stand_in(self, kind: StandIn) -> int | None:
        """Return the token of that kind; None if the tokenizer has none."""
        return stand_in_of(self.tokenizer, kind)

    def embeddings(self, ids: Int[Tensor, " token"]) -> Float[Tensor, "token width"]:
        """Return what the network makes of tokens before it looks at their places."""
        return self.classifier.get_input_embeddings()(ids)

    def answer(
        self, embedded: Float[Tensor, "batch token width"]
    ) -> Float[Tensor, "batch outputs"]:
        """Return what `predict` does, with gradients."""
        every = torch.ones(embedded.shape[:2], dtype=torch.int64)
        logits = self.classifier(inputs_embeds=embedded, attention_mask=every).logits
        if self.task.n_outputs == 2 and logits.shape[1] == 1:
            logits = torch.cat([torch.zeros_like(logits), logits], 1)
        return logits[:, list(self.order)] if self.order else logits

    def with_lineage(self, lineage: Lineage) -> Self:
        """Return the same predictor with another history."""
        return replace(self, lineage=lineage)

    @property
    def n_parameters(self) -> int:
        """How many weights and biases its network has."""
        return sum(p.numel() for p in self.classifier.parameters())

    @property
    def _longest(self) -> int:
        window = getattr(self.classifier.config, "max_position_embeddings", MOST_TOKENS)
        return min(self.tokenizer.model_max_length, window)


def open_classifier(folder: Path, task: Task, schema: Schema) -> TextClassifier:
    """Return the classifier in `folder`.

    Raises:
        BadInput: The data are not texts, or the classifier has other classes.
        Damaged: The folder wants code to be run, has only pickled weights, or lacks some.
        MissingExtra: transformers is not installed.
    """
    if not schema.is_text:
        raise BadInput(
            "This model reads texts, and the data are none.",
            where=str(folder),
            mend="Load the data with data.Texts and name the column of the text.",
        )
    config = checked_folder(folder)
    classifier, tokenizer = loaded(folder, "AutoModelForSequenceClassification")
    names = _classes(config, classifier.config.num_labels)
    order = aligned(names, task, str(folder)) if task.is_classification else ()
    is_same = order == tuple(range(task.n_outputs))
    return TextClassifier(
        classifier=classifier,
        tokenizer=tokenizer,
        task=task,
        schema=schema,
        order=() if is_same else order,
    )


def _classes(config: Mapping[str, Any], n: int) -> list[str]:
    """Return the names of the classes in the order of the outputs; LABEL_3 is the class 3."""
    names = config.get("id2label")
    found = [str(v) for _, v in sorted(names.items(), key=lambda i: int(i[0]))] if names else []
    return [v.removeprefix("LABEL_") for v in found] or [str(i) for i in range(n)]
