"""Array files that cannot be, or only just can: refused with place and remedy, or read pixel by pixel as written."""

import zipfile
from typing import Any

import numpy as np
import pytest

from fivefold.core.data import Dataset
from fivefold.data import Images
from survival.malformed import refusal
from survival.test_malformed_data import TAKEN, N, loaded


def images(**changes: Any) -> dict[str, Any]:
    own = np.random.default_rng(0)
    return {"x": own.integers(0, 256, (N, 4, 4), np.uint8), "y": np.arange(N) % 2} | changes


def floats(kind: str) -> np.ndarray:
    return np.random.default_rng(0).random((N, 4, 4)).astype(kind)


# what is strange -> (arrays, what must be said, the pixels that must be read)
ARRAYS: dict[str, tuple[dict[str, Any], str, np.ndarray | None]] = {
    "bytes": (images(), TAKEN, images()["x"] / 255),
    "16 bits": (images(x=np.full((N, 4, 4), 257, np.uint16)), TAKEN, np.full((N, 4, 4), 257 / 65535)),
    "16 bits, the other end first": (images(x=np.full((N, 4, 4), 200, ">u2")), TAKEN, np.full((N, 4, 4), 200 / 65535)),
    "floats of 16 bits": (images(x=floats("f2")), TAKEN, floats("f2")),
    "floats, the other end first": (images(x=floats(">f8")), TAKEN, floats("f8")),
    "columns first": (images(x=np.asfortranarray(floats("f4"))), TAKEN, floats("f4")),
    "truth": (images(x=floats("f4") > 0.5), TAKEN, floats("f4") > 0.5),
    "NaN": (images(x=np.full((N, 4, 4), np.nan)), "Pixel", None),
    "infinity": (images(x=np.full((N, 4, 4), np.inf)), "Pixel", None),
    "floats up to 255": (images(x=floats("f4") * 255), "Pixel", None),
    "negative": (images(x=-np.ones((N, 4, 4), np.int16)), "Pixel", None),
    "complex": (images(x=np.zeros((N, 4, 4), complex)), "complex", None),
    "text": (images(x=np.full((N, 4, 4), "a")), "not numbers", None),
    "dates": (images(x=np.zeros((N, 4, 4), "M8[s]")), "datetime", None),
    "structures": (images(x=np.zeros((N, 4, 4), [("a", "u1")])), "not numbers", None),
    "no height": (images(x=np.zeros((N, 0, 4), np.uint8)), "shape", None),
    "no images": (images(x=np.zeros((0, 4, 4), np.uint8), y=np.zeros(0, int)), "0 images", None),
    "a number": (images(x=np.uint8(1)), "shape", None),
    "five axes": (images(x=np.zeros((N, 1, 1, 4, 4), np.uint8)), "shape", None),
    "two channels": (images(x=np.zeros((N, 2, 4, 4), np.uint8)), "shape", None),
    "fewer labels": (images(y=np.arange(N - 1) % 2), "labels", None),
    "labels in a column": (images(y=(np.arange(N) % 2)[:, None]), "labels", None),
    "fractions as labels": (images(y=np.arange(N) % 2 + 0.5), "not classes", None),
    "bytes as labels": (images(y=np.array([b"a", b"b"] * 20)), "not classes", None),
    "dates as labels": (images(y=np.zeros(N, "M8[s]")), "not classes", None),
    "objects as labels": (images(y=np.array(["a", 1] * 20, dtype=object)), "objects", None),
    "half a character as a label": (images(y=np.array(["\ud800", "a"] * 20)), "half a character", None),
    "one label": (images(y=np.zeros(N, int)), "1 classes", None),
    "a label for each": (images(y=np.arange(N)), "Class", None),
    "no labels": ({"x": np.zeros((N, 4, 4), np.uint8)}, "no array y", None),
    "other names": ({"a": np.zeros(3), "b": np.zeros(3)}, "no array x", None),
    "nothing": ({}, "no array x", None),
}  # fmt: skip


@pytest.mark.parametrize("name", ARRAYS)
def test_strange_arrays(name, tmp_path):
    arrays, expected, pixels = ARRAYS[name]
    np.savez(tmp_path / "a.npz", **arrays)
    found: list[Dataset] = []
    error = refusal(lambda: found.append(loaded(Images, tmp_path, path="a.npz")))
    if pixels is None:
        assert error is not None
        assert expected in str(error)
    else:
        assert error is None, error
        seen, test = found[0].splits
        read = np.concatenate([np.asarray(b.x) for b in (seen.train, seen.valid, test)])
        rows = [sorted(np.asarray(a, np.float64).reshape(N, -1).tolist()) for a in (read, pixels)]
        assert np.allclose(*rows, rtol=0, atol=1e-7)


HEADERS = {
    "9 terabytes": ("(10000000000000,)", "'|u1'"),
    "20 gigabytes": ("(20000000000,)", "'|u1'"),
    "more than there are atoms": ("(4294967296, 4294967296, 4294967296)", "'|u1'"),
    "a negative size": ("(-1,)", "'|u1'"),
    "a fraction as a size": ("(1.5,)", "'|u1'"),
    "a size in words": ("('a',)", "'|u1'"),
    "a type that is not": ("(1,)", "'evil'"),
    "a call": ("(__import__('os').system('true'),)", "'|u1'"),
    "3,000 brackets": ("(" * 3000 + ")" * 3000, "'|u1'"),
    "objects": ("(1,)", "'|O'"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_strange_headers(name, tmp_path):
    shape, kind = HEADERS[name]
    told = f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    content = b"\x93NUMPY\x01\x00" + len(told).to_bytes(2, "little") + told
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        for array in ("x", "y"):
            file.writestr(f"{array}.npy", content)
    assert refusal(lambda: loaded(Images, tmp_path, path="a.npz")) is not None
