"""Folders of transformers: the library's own logits, and nobody's code."""

import json
from pathlib import Path

import pytest
import torch
from hostile import payload
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from fivefold.core.codepoints import encode_texts
from fivefold.core.errors import BadInput, Damaged
from fivefold.core.schema import Schema
from fivefold.core.task import Task
from fivefold.models import open_model

TEXTS = ["a good film", "a bad bad film", "好 film", "unknown words here", "good " * 40, ""]
SCHEMA = Schema(shape=(200,), is_text=True)
TASK = Task(classes=("bad", "good"))


@pytest.fixture
def folder(tmp_path) -> Path:
    words = ["[PAD]", "[UNK]", "a", "good", "bad", "film", "好"]
    inner = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]")
    fast.save_pretrained(tmp_path)
    config = BertConfig(
        vocab_size=7, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=16, id2label={0: "good", 1: "bad"},
    )  # fmt: skip
    with torch.random.fork_rng():
        BertForSequenceClassification(config).save_pretrained(tmp_path)
    return tmp_path


def opened(folder, task=TASK, schema=SCHEMA):
    return open_model(str(folder), task=task, schema=schema)


def changed(path: Path, **more):
    path.write_text(json.dumps(json.loads(path.read_text()) | more))


@torch.no_grad()
def test_answers_are_the_librarys_own(folder):
    told = opened(folder).predict(encode_texts(TEXTS[:5], 200))
    net = BertForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    for text, mine in zip(TEXTS, told, strict=False):
        given = tokenizer([text], truncation=True, max_length=16, return_tensors="pt")
        assert torch.allclose(net(**given).logits[0].flip(-1), mine, atol=1e-5)  # "good" was first
    assert told.std() > 1e-3


def test_code_and_pickles_are_refused(folder):
    canary = folder / "canary"
    (folder / "evil.py").write_text(f"open({str(canary)!r}, 'w')")
    (folder / "pytorch_model.bin").write_bytes(payload(canary))
    opened(folder)
    for name in ("config.json", "tokenizer_config.json"):
        before = (folder / name).read_text()
        changed(folder / name, auto_map={"AutoConfig": "evil.Config"})
        with pytest.raises(Damaged, match="auto_map"):
            opened(folder)
        (folder / name).write_text(before)
    (folder / "model.safetensors").rename(folder / "kept")
    with pytest.raises(Damaged, match="pickled"):
        opened(folder)
    (folder / "model.safetensors").write_bytes(payload(canary))
    with pytest.raises(Damaged):
        opened(folder)
    assert not canary.exists()


def test_other_classes_and_other_data_are_refused(folder, table):
    with pytest.raises(BadInput, match="classes"):
        opened(folder, Task(classes=("a", "b")))
    with pytest.raises(BadInput, match="texts"):
        opened(folder, TASK, table.schema)
