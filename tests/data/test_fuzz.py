"""Whatever bytes come in, the answer is data or a `BadInput`, never another error."""

import io
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image

from fivefold.core.data import Dataset
from fivefold.core.errors import BadInput
from fivefold.core.source import Source
from fivefold.data import Images, Table
from seeding import seeded

FRAME = pl.DataFrame(
    {
        "age": list(range(40)),
        "pulse": [60.5 + i % 7 for i in range(40)],
        "town": ["北京", "north"] * 20,
        "ill": ["yes", "no", "no", "yes"] * 10,
    }
)
SPICE = [b"\0", b"\xff", b'"', b",", b"\n", b"\r", b"nan", b"1e999", b"-", b"{", b"}", b"[", b"null", b"9" * 30, b"\xef\xbb\xbf", b"\xd6\xd0", b"\t", b"?", b":", b"'", b"e5"]  # fmt: skip
ROUNDS = 60


def written(ending: str) -> bytes:
    """Return a good file of the kind."""
    made = io.BytesIO()
    match ending:
        case "csv":
            FRAME.write_csv(made)
        case "jsonl":
            FRAME.write_ndjson(made)
        case "parquet":
            FRAME.write_parquet(made, compression="uncompressed")
        case "npz":
            np.savez_compressed(made, x=np.arange(640, dtype=np.uint8).reshape(40, 4, 4), y=np.arange(40) % 2)  # fmt: skip
        case _:
            Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(made, ending)
    return made.getvalue()


def spoilt(data: bytes, seed: int) -> bytes:
    """Return the bytes with a few pieces cut, overwritten, doubled or spiced."""
    own = np.random.default_rng(seed)
    for _ in range(int(own.integers(1, 4))):
        start = int(own.integers(0, len(data) + 1))
        stop = start + int(own.integers(0, 12))
        piece = [b"", own.bytes(stop - start), data[start:stop] * 2, SPICE[int(own.integers(len(SPICE)))]]  # fmt: skip
        data = data[:start] + piece[int(own.integers(4))] + data[stop:]
    return data


def is_data_or_a_clear_refusal(source: Source, folder: Path) -> bool:
    try:
        found = source.load(folder, seeded())
    except BadInput as error:
        assert error.where
        assert error.mend
        return False
    assert isinstance(found, Dataset)
    assert isinstance(found.splits.test.x, torch.Tensor)
    assert not found.splits.test.x.isinf().any()
    return True


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet", "npz"])
def test_spoilt_files(ending, tmp_path: Path):
    good = written(ending)
    refused = 0
    for seed in range(ROUNDS):
        (tmp_path / f"a.{ending}").write_bytes(spoilt(good, seed))
        source = Images(path="a.npz") if ending == "npz" else Table(path=f"a.{ending}", target="ill")  # fmt: skip
        refused += not is_data_or_a_clear_refusal(source, tmp_path)
    assert refused > ROUNDS / 4


@pytest.mark.parametrize("ending", ["png", "jpeg"])
def test_spoilt_images(ending, tmp_path: Path):
    good = written(ending)
    for i in range(12):
        (tmp_path / "ab"[i % 2]).mkdir(exist_ok=True)
        (tmp_path / "ab"[i % 2] / f"{i}.{ending}").write_bytes(good)
    for seed in range(ROUNDS):
        (tmp_path / "a" / f"0.{ending}").write_bytes(spoilt(good, seed))
        is_data_or_a_clear_refusal(Images(path=".", leaks="keep"), tmp_path)
