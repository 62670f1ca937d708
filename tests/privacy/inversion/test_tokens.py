"""The embeddings that moved name the tokens."""

import pytest
import torch
from speakers import drawn, word_pieces
from torch import nn
from transformers import BertConfig, BertForSequenceClassification

from fivefold.core.codepoints import encode_texts
from fivefold.core.data import Batch
from fivefold.core.errors import NotMeasurable
from fivefold.core.schema import Schema
from fivefold.core.task import Task
from fivefold.models import MLP, TorchModel
from fivefold.models.huggingface import TextClassifier
from fivefold.privacy.inversion.sight import Sight
from fivefold.privacy.inversion.tokens import TokenAttack, deviation_of, named_by, reader_of
from seeding import seeded

SCHEMA, TASK = Schema(shape=(12,), is_text=True), Task(classes=("bad", "good"))
TEXTS = encode_texts(["abc", "abd", "xyz", "xya", "bbb", "qrs"], 12)
DATA = Batch(TEXTS, torch.tensor([0, 1, 0, 1, 0, 1]))
OTHERS = Batch(encode_texts(["abcd", "ab"], 12), torch.tensor([0, 1]))
CLIENTS = torch.tensor([[0, 1], [2, 5]])


class Letters(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(128, 4, padding_idx=0)
        self.head = nn.Linear(4, 2)
        for w in (self.embed.weight, self.head.weight, self.head.bias):
            w.data = torch.randn(w.shape, generator=seeded(len(w)))

    def forward(self, x):
        return self.head(self.embed(x).sum(1))


def attack_on(model):
    reader = reader_of(model)
    assert reader is not None
    return TokenAttack(reader, OTHERS, 0.1)


def letters():
    return TorchModel(Letters(), TASK, SCHEMA, MLP())


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("is_whole", [True, False])
def test_every_letter_comes_back(steps, is_whole):
    sight = Sight(clip_norm=0.1, is_whole=is_whole)
    found = attack_on(letters()).outcome(DATA, CLIENTS, steps, sight, seeded())
    assert found.attack.tolist() == [[1.0, 1.0], [1.0, 1.0]]
    # the four most usual letters are a, b, c and d; of seven letters, all four that are known
    assert found.chance.tolist() == [[1.0, 1.0], [0.0, 0.0]]


@pytest.mark.parametrize("is_whole", [True, False])
def test_noise_of_one_clip_norm_hides_them(is_whole):
    sight = Sight(clip_norm=0.1, noise_multiplier=1.0, is_whole=is_whole)
    rows = torch.arange(6)[:, None].repeat(20, 1)
    found = attack_on(letters()).outcome(DATA, rows, 1, sight, seeded())
    assert float(found.attack.mean()) < 0.3


def test_noise_alone_names_hardly_anything():
    sight = Sight(clip_norm=2.0, noise_multiplier=3.0, is_whole=False)
    deviation = deviation_of(sight, steps=4, n_rows=3)
    assert deviation == pytest.approx(4.0)
    rows = deviation * torch.randn(20_000, 5, generator=seeded())
    assert len(named_by(rows, deviation, 20_000)) / 20_000 == pytest.approx(1e-3, abs=1e-3)


def test_no_more_tokens_are_named_than_rows_can_have():
    rows = torch.arange(5.0)[:, None]
    assert named_by(rows, 0.0, 2) == {3, 4}


def test_the_model_is_left_as_it_was():
    model = letters()
    before = [w.clone() for w in model.net.parameters()]
    attack = attack_on(model)
    a = attack.outcome(DATA, CLIENTS, 2, Sight(), seeded())
    b = attack.outcome(DATA, CLIENTS, 2, Sight(), seeded())
    assert torch.equal(a.attack, b.attack)
    for weights in (model.net.parameters(), attack.reader.network.parameters()):
        assert all(torch.equal(x, y) for x, y in zip(before, weights, strict=True))


def test_a_transformer_gives_its_words_away():
    config = BertConfig(
        vocab_size=18, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=64,
    )  # fmt: skip
    model = TextClassifier(
        classifier=drawn(BertForSequenceClassification, config, 0.3), tokenizer=word_pieces(),
        task=TASK, schema=Schema(shape=(60,), is_text=True),
    )  # fmt: skip
    x = encode_texts(["a good film", "好 电 影", "bad ! film", "un good"], 60)
    reader = reader_of(model)
    assert reader is not None
    assert reader.words.num_embeddings == 18  # and not the larger table of places
    attack = TokenAttack(reader, Batch(x, torch.zeros(4).long()), 0.1)
    data = Batch(x, torch.tensor([0, 1, 0, 1]))
    found = attack.outcome(data, torch.tensor([[0], [1], [2]]), 1, Sight(), seeded())
    assert found.attack.tolist() == [[1.0], [1.0], [1.0]]
    assert float(found.chance[1]) < 1.0


def test_a_frozen_embedding_gives_nothing():
    model = letters()
    model.net.get_parameter("embed.weight").requires_grad_(False)
    with pytest.raises(NotMeasurable, match="not trained"):
        attack_on(model).outcome(DATA, CLIENTS, 1, Sight(), seeded())


def test_a_network_of_numbers_reads_no_tokens(trained):
    assert reader_of(trained) is None
