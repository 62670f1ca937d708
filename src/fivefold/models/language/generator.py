"""A causal language model in a folder of Hugging Face transformers; local, without anybody's code or pickles."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fivefold.core.errors import BadInput
from fivefold.core.lineage import Lineage
from fivefold.models.folder import checked_folder, loaded
from fivefold.models.language.tokens import NOWHERE, StandIn, Tokens, stand_in_of, tokens_of

ROOM = 4096  # tokens that are read at one time


class _Said(NamedTuple):
    """An answer as tokens, the piece of it that each belongs to, and the pieces."""

    ids: Int[Tensor, " token"]
    piece: Int[Tensor, " token"]
    pieces: tuple[str, ...]


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
        """Return the tokens of the answer; those that spell one character together are one piece.

        Raises:
            BadInput: It has no token, or one that the model does not know.
        """
        return self._said(answer).pieces

    @torch.no_grad()
    def log_probabilities(
        self, prompts: Sequence[str], answer: str
    ) -> Float[Tensor, "prompts piece"]:
        """Return the log-probability, in nats, of each piece of the answer after each prompt and the pieces before.

        Raises:
            BadInput: Prompt and answer together are longer than the model can read.
        """
        said = self._said(answer)
        found = torch.zeros(len(prompts), len(said.pieces), dtype=torch.float64)
        read = [self.tokens(prompt).ids for prompt in prompts]
        for rows in _alike([len(r) for r in read], len(said.ids)):
            given = torch.stack([torch.cat([read[row], said.ids]) for row in rows])
            found[rows] = self._told(said, input_ids=given.to(self._device))
        return found

    def tokens(self, text: str) -> Tokens:
        """Return the prompt as the model reads it, without a mark that ends texts: an answer follows."""
        ids, spans = tokens_of(self.tokenizer, text)
        while len(ids) > 1 and spans[-1] == NOWHERE and ids[-1] == self.tokenizer.eos_token_id:
            ids, spans = ids[:-1], spans[:-1]
        return Tokens(ids, spans) if len(ids) else Tokens(torch.tensor([self._first()]), (NOWHERE,))

    def stand_in(self, kind: StandIn) -> int | None:
        """Return the token of that kind; None if the tokenizer has none."""
        return stand_in_of(self.tokenizer, kind)

    def embeddings(self, ids: Int[Tensor, " token"]) -> Float[Tensor, "token width"]:
        """Return what the network makes of tokens before it looks at their places."""
        return self.network.get_input_embeddings()(ids.to(self._device))

    def continued(
        self, embedded: Float[Tensor, "batch token width"], answer: str
    ) -> Float[Tensor, "batch piece"]:
        """Return what `log_probabilities` does, with gradients.

        Raises:
            BadInput: Prompt and answer together are longer than the model can read.
        """
        said = self._said(answer)
        behind = self.embeddings(said.ids).detach().expand(len(embedded), -1, -1)
        return self._told(said, inputs_embeds=torch.cat([embedded.to(self._device), behind], 1))

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

    def _told(self, said: "_Said", **given: Tensor) -> Float[Tensor, "batch piece"]:
        (read,), ids = given.values(), said.ids
        self._check_room(read.shape[1], len(ids))
        more: dict[str, Any] = {
            "use_cache": False,
            "attention_mask": read.new_ones(read.shape[:2]).long(),
        }
        if "logits_to_keep" in signature(self.network.forward).parameters:
            more["logits_to_keep"] = len(ids) + 1
        logits = self.network(**given, **more).logits[:, -len(ids) - 1 : -1]
        chosen = ids.to(logits.device).expand(len(logits), -1)[..., None]
        told = logits.double().log_softmax(-1).gather(2, chosen)[..., 0].cpu()
        empty = told.new_zeros(len(told), len(said.pieces))
        return empty.index_add(1, said.piece, told)

    def _said(self, answer: str) -> "_Said":
        told = self.tokenizer(answer, add_special_tokens=False, return_offsets_mapping=True)
        if not (ids := told["input_ids"]):
            raise BadInput(
                "The answer is empty.", mend="Give the answer whose probability is explained."
            )
        if self.tokenizer.unk_token_id in ids and self.tokenizer.unk_token not in answer:
            raise BadInput(
                "The tokenizer of this model cannot write the answer {answer}.",
                mend="Give an answer that the model can say: here it would be a token for anything unknown.",
                answer=answer,
            )
        return _in_pieces(answer, ids, told["offset_mapping"])

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


def _in_pieces(answer: str, ids: list[int], spans: list[tuple[int, int]]) -> _Said:
    """Return the answer in pieces, each of which holds whole characters."""
    ends: list[tuple[int, int]] = []
    piece: list[int] = []
    for begin, end in spans:
        if ends and begin < ends[-1][1]:
            ends[-1] = (ends[-1][0], max(ends[-1][1], end))
        else:
            ends.append((begin, end))
        piece.append(len(ends) - 1)
    names = tuple(answer[a:b] for a, b in ends)
    return _Said(torch.tensor(ids), torch.tensor(piece), names)


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
