"""Small models in the forms that people have, and the rows they answer about."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from seeding import seeded

FACTORY = """
from torch import nn

def build():
    return nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
"""
FUNCTIONS = """
import numpy as np

def ask(x):
    p = 1 / (1 + np.exp(-2 * (x[:, 0] + x[:, 1])))
    return np.stack([1 - p, p], 1)
"""
WEIGHTS = np.array([[-2, 2], [-2, 2], [0, 0]], dtype="float32")
GOOD, BAD, OTHER = ["good", "喜欢"], ["bad", "讨厌"], ["a", "film", "电影"]


def numbers(folder: Path, n: int = 150) -> None:
    """Write rows of three numbers; the class is the sign of the sum of the first two."""
    import polars as pl

    x = np.random.default_rng(0).normal(size=(n, 3)).astype("float32")
    y = np.where(x[:, 0] + x[:, 1] > 0, "yes", "no")
    pl.DataFrame(dict(zip("abc", x.T, strict=True)) | {"y": y}).write_csv(folder / "numbers.csv")
    (folder / "people_function.py").write_text(FUNCTIONS)


def onnx(path: Path, *, by_column: bool) -> None:
    """Write a linear classifier with one input, or with one for each column."""
    from onnx import TensorProto, helper, numpy_helper, save

    names, kind = ("abc" if by_column else "x"), TensorProto.FLOAT
    width = 1 if by_column else 3
    nodes = [helper.make_node("Concat", [*names], ["all"], axis=1)]
    nodes += [helper.make_node("MatMul", ["all", "w"], ["z"])]
    nodes += [helper.make_node("Softmax", ["z"], ["probabilities"], axis=1)]
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info(n, kind, ["n", width]) for n in names],
        [helper.make_tensor_value_info("probabilities", kind, ["n", 2])],
        [numpy_helper.from_array(WEIGHTS, "w")],
    )  # fmt: skip
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def network(folder: Path) -> None:
    """Write weights that answer as the others do, and the module that builds the network."""
    from safetensors.torch import save_file

    (folder / "people_factory.py").write_text(FACTORY)
    first, last = torch.zeros(8, 3), torch.zeros(2, 8)
    first[0, :2], first[1, :2], last[1, 0], last[0, 1] = 2.0, -2.0, 1.0, 1.0
    tensors = {"0.weight": first, "0.bias": torch.zeros(8), "2.weight": last, "2.bias": torch.zeros(2)}  # fmt: skip
    save_file(tensors, folder / "net.safetensors")


def texts(folder: Path, n: int = 60) -> None:
    """Write texts in English and Chinese; the class follows from one word."""
    import polars as pl

    own, rows = np.random.default_rng(1), []
    for i in range(n):
        words = [*own.choice(OTHER, 2), own.choice(GOOD if i % 2 else BAD)]
        rows.append((" ".join(own.permutation(words)) + f" {i}", "good" if i % 2 else "bad"))
    frame = pl.DataFrame(rows, schema=["review", "label"], orient="row")
    frame.write_csv(folder / "texts.csv")


def transformers(folder: Path, *, shards: bool = False) -> None:
    """Write a tiny trained classifier of the texts, with a tokenizer of words and Chinese characters."""
    import polars as pl
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", "good", "bad", "a", "film", *"喜欢讨厌电影"]
    inner = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    inner.normalizer = normalizers.BertNormalizer()
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    fast = PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]")
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=32, id2label={0: "good", 1: "bad"},
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    frame = pl.read_csv(folder / "texts.csv")
    given = fast(frame["review"].to_list(), padding=True, return_tensors="pt")
    y = torch.tensor([["good", "bad"].index(v) for v in frame["label"]])
    with torch.random.fork_rng():
        net = BertForSequenceClassification(config)
    rng = seeded(0)
    for weight in net.parameters():
        if weight.dim() > 1:
            nn.init.normal_(weight, 0.0, 0.2, generator=rng)
    optimizer = torch.optim.Adam(net.parameters(), 0.02)
    for _ in range(25):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(**given).logits, y).backward()
        optimizer.step()
    fast.save_pretrained(folder / "bert")
    net.save_pretrained(folder / "bert", max_shard_size="4KB" if shards else "1GB")
