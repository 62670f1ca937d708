"""Small models of language: real networks of transformers with drawn weights, and functions whose truth is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import Tensor
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
)

from fivefold.core.codepoints import encode_texts
from fivefold.core.schema import Schema
from fivefold.core.task import Task
from fivefold.models.huggingface import TextClassifier
from fivefold.models.language import TextGenerator
from seeding import seeded

LENGTH = 60
SCHEMA = Schema(shape=(LENGTH,), is_text=True)
TASK = Task(classes=("bad", "good"))
WORTH = {"good": 2.0, "bad": -1.5, "film": 0.25, "好": 1.0, "坏": -1.0}


def points(told: str) -> Tensor:
    return encode_texts([told], LENGTH)


def word_pieces() -> Any:
    """Words in pieces and Chinese characters one by one, with marks around the text, as BERT has them."""
    words = [
        *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "good", "bad", "film", "un", "##good"),
        *("##ish", "好", "坏", "电", "影", "!", "。"),
    ]
    known = {word: i for i, word in enumerate(words)}
    inner = Tokenizer(models.WordPiece(known, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex("[一-鿿]"), "isolated"),
            pre_tokenizers.BertPreTokenizer(),
        ]
    )
    ends = [("[CLS]", known["[CLS]"]), ("[SEP]", known["[SEP]"])]
    inner.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, ends)
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]", mask_token="[MASK]",
        cls_token="[CLS]", sep_token="[SEP]",
    )  # fmt: skip


@cache
def byte_pairs() -> Any:
    """Pairs of bytes, so that one Chinese character is several tokens, as GPT-2 has them."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=290, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<end>"], show_progress=False,
    )  # fmt: skip
    inner.train_from_iterator(["the film is good", "a good film", "is bad"] * 4, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<end>")


def drawn(kind: Any, config: Any, spread: float) -> Any:
    """Return such a network with weights that are large enough for answers to differ."""
    with torch.random.fork_rng():
        network = kind(config).eval()
    rng = seeded()
    for weight in network.parameters():
        if weight.ndim > 1:
            weight.data = spread * torch.randn(weight.shape, generator=rng)
    return network


@cache
def classifier() -> TextClassifier:
    config = BertConfig(
        vocab_size=18, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=24,
    )  # fmt: skip
    network = drawn(BertForSequenceClassification, config, 0.4)
    return TextClassifier(classifier=network, tokenizer=word_pieces(), task=TASK, schema=SCHEMA)


@cache
def generator() -> TextGenerator:
    config = GPT2Config(
        vocab_size=290, n_embd=16, n_layer=2, n_head=2, n_positions=64,
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    network = drawn(GPT2LMHeadModel, config, 0.3)
    return TextGenerator(network=network, tokenizer=byte_pairs())


@dataclass(frozen=True)
class Adds:
    """A model of language whose log-probabilities are sums over the words of the prompt: the truth is known.

    Each character of an answer is a token; the first counts every word once, the second twice, and so on.
    """

    def pieces(self, answer: str) -> tuple[str, ...]:
        return tuple(answer)

    def log_probabilities(self, prompts: Sequence[str], answer: str) -> Tensor:
        told = [sum(w * prompt.count(name) for name, w in WORTH.items()) for prompt in prompts]
        times = torch.arange(1, len(answer) + 1, dtype=torch.float64)
        sign = -1.0 if answer.startswith("n") else 1.0
        return sign * torch.tensor(told, dtype=torch.float64)[:, None] * times - times
