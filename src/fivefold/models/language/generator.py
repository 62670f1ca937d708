"""A causal language model in a folder of Hugging Face transformers; local, without anybody's code or pickles."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from inspect import signature
from pathlib import Path
from typing import Any, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fivefold.core.errors import BadInput
from fivefold.core.lineage import Lineage
from fivefold.models.folder import checked_folder, loaded
from fivefold.models.language.tokens import StandIn, Tokens, stand_in_of, tokens_of

ROOM = 4096  # tokens that are read at one time


@dataclass(frozen=True, kw_only=True)
class TextGenerator:
    """A causal language model with its own fast tokenizer.

    Prompt and answer become tokens separately, so that an answer has the same tokens after any prompt.
    Prompts of the same length are read together; none is ever padded. An empty prompt becomes the token
    that begins, or else ends, a text.

    Attributes:
        network: The network of transformers.
        tokenizer: Its tokenizer.
        lineage: What was done to it, as far as anybody says.
    """

    network: Any = field(repr=False)
    tokenizer: Any = field(repr=False)
    lineage: Lineage = ()

    def pieces(self, answer: str) -> tuple[str, ...]:
        """Return the part of the answer that each of its tokens stands for.

        Raises:
            BadInput: It has no token, or one that the model does not know.
        """
        told = self.tokenizer(answer, add_special_tokens=False, return_offsets_mapping=True)
        self._ids(answer)
        return tuple(answer[a:b] for a, b in told["offset_mapping"])

    @torch.no_grad()
    def log_probabilities(
        self, prompts: Sequence[str], answer: str
    ) -> Float[Tensor, "prompts token"]:
        """Return the log-probability, in nats, of each token of the answer after each prompt and the tokens before.

        Raises:
            BadInput: Prompt and answer together are longer than the model can read.
        """
        ids = self._ids(answer)
        found = torch.zeros(len(prompts), len(ids), dtype=torch.float64)
        read = [self.tokens(prompt).ids for prompt in prompts]
        for rows in _alike([len(r) for r in read], len(ids)):
            given = torch.stack([torch.cat([read[row], ids]) for row in rows])
            found[rows] = self._told(ids, input_ids=given.to(self._device))
        return found

    def tokens(self, text: str) -> Tokens:
        """Return the prompt as the model reads it."""
        found = tokens_of(self.tokenizer, text)
        return found if len(found.ids) else Tokens(torch.tensor([self._first()]), ((-1, -1),))

    def stand_in(self, kind: StandIn) -> int | None:
        """Return the token of that kind; None if the tokenizer has none."""
        return stand_in_of(self.tokenizer, kind)

    def embeddings(self, ids: Int[Tensor, " token"]) -> Float[Tensor, "token width"]:
        """Return what the network makes of tokens before it looks at their places."""
        return self.network.get_input_embeddings()(ids.to(self._device))

    def continued(
        self, embedded: Float[Tensor, "batch token width"], answer: str
    ) -> Float[Tensor, "batch answer"]:
        """Return what `log_probabilities` does, with gradients.

        Raises:
            BadInput: Prompt and answer together are longer than the model can read.
        """
        ids = self._ids(answer)
        behind = self.embeddings(ids).detach().expand(len(embedded), -1, -1)
        return self._told(ids, inputs_embeds=torch.cat([embedded.to(self._device), behind], 1))

    def with_lineage(self, lineage: Lineage) -> Self:
        """Return the same model with another history."""
        return replace(self, lineage=lineage)

    @property
    def n_parameters(self) -> int:
        """How many weights and biases its network has."""
        return sum(p.numel() for p in self.network.parameters())

    @property
    def _device(self) -> torch.device:
        return next(self.network.parameters()).device

    def _told(self, ids: Tensor, **given: Tensor) -> Float[Tensor, "batch answer"]:
        (read,) = given.values()
        self._check_room(read.shape[1], len(ids))
        more: dict[str, Any] = {
            "use_cache": False,
            "attention_mask": read.new_ones(read.shape[:2]).long(),
        }
        if "logits_to_keep" in signature(self.network.forward).parameters:
            more["logits_to_keep"] = len(ids) + 1
        logits = self.network(**given, **more).logits[:, -len(ids) - 1 : -1]
        chosen = ids.to(logits.device).expand(len(logits), -1)[..., None]
        return logits.double().log_softmax(-1).gather(2, chosen)[..., 0].cpu()

    def _ids(self, answer: str) -> Int[Tensor, " token"]:
        ids = self.tokenizer(answer, add_special_tokens=False)["input_ids"]
        if not ids:
            raise BadInput(
                "The answer is empty.", mend="Give the answer whose probability is explained."
            )
        if self.tokenizer.unk_token_id in ids and self.tokenizer.unk_token not in answer:
            raise BadInput(
                "The tokenizer of this model cannot write the answer {answer}.",
                mend="Give an answer that the model can say: here it would be a token for anything unknown.",
                answer=answer,
            )
        return torch.tensor(ids, dtype=torch.int64)

    def _first(self) -> int:
        for token in (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id):
            if token is not None:
                return token
        raise BadInput(
            "A prompt has no token, and this model has none that begins a text.",
            mend="Put something in front of the prompt that always stays.",
        )

    def _check_room(self, n: int, n_answer: int) -> None:
        window = getattr(self.network.config, "max_position_embeddings", None)
        if window is not None and n > window:
            raise BadInput(
                "The prompt has {prompt} tokens and the answer {answer}; this model reads {window}.",
                mend="Give a shorter prompt: nothing of it is cut in silence.",
                prompt=n - n_answer,
                answer=n_answer,
                window=window,
            )


def open_generator(folder: Path | str) -> TextGenerator:
    """Return the language model in `folder`.

    Raises:
        Damaged: The folder wants code to be run, has only pickled weights, or lacks some.
        MissingExtra: transformers is not installed.
    """
    checked_folder(Path(folder))
    network, tokenizer = loaded(Path(folder), "AutoModelForCausalLM")
    return TextGenerator(network=network, tokenizer=tokenizer)


def _alike(lengths: Sequence[int], behind: int) -> Iterator[list[int]]:
    """Yield rows that have the same length, as many as fit."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    start = 0
    while start < len(order):
        length = lengths[order[start]]
        most = start + max(1, ROOM // (length + behind))
        end = start
        while end < min(most, len(order)) and lengths[order[end]] == length:
            end += 1
        yield order[start:end]
        start = end
