"""Array files made to do harm: refused, in little memory and time, and nothing in them is run."""

import io
import os
import struct
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

CHILD = str(Path(__file__).with_name("hostile_child.py"))
X, Y = np.zeros((4, 2, 2), np.uint8), np.arange(4) % 2
Member = tuple[str, bytes]


class Evil:
    """Makes a file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (str(self.canary),)


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, allow_pickle=True)
    return file.getvalue()


def claim(shape: str, kind: str = "'|u1'", content: bytes = b"", version: bytes = b"\1\0") -> bytes:
    told = f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    size = struct.pack("<H" if version == b"\1\0" else "<I", len(told))
    return b"\x93NUMPY" + version + size + told + content


GOOD: list[Member] = [("x.npy", npy(X)), ("y.npy", npy(Y))]


def packed(members: Sequence[Member], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", how) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of names that are there twice
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def with_x(content: bytes, how: int = zipfile.ZIP_DEFLATED) -> bytes:
    return packed([("x.npy", content), GOOD[1]], how)


def objects(canary: Path) -> list[bytes]:
    evil = np.array([Evil(canary)] * 4, dtype=object)
    raw = npy(evil).partition(b"\n")[2]
    return [
        with_x(npy(evil)),
        packed([GOOD[0], ("y.npy", npy(evil))]),
        with_x(raw),
        packed([("x", raw), ("y", raw)]),
        with_x(claim("(4,)", "'|O'", raw)),
        with_x(claim("(4,)", "[('a', '|O'), ('b', '|u1')]", raw)),
        raw,
        npy(evil) + packed(GOOD[:1]),
        with_x(claim(f"(__import__('os').mkdir({str(canary)!r}),)")),
        with_x(claim("(4,)", f"__import__('os').mkdir({str(canary)!r})")),
    ]


def bombs() -> list[bytes]:
    zeros = bytes(64 * 2**20)
    nested = packed([("x.npz", packed(GOOD))])
    bomb = with_x(claim(f"({len(zeros) // 4}, 2, 2)", content=zeros))
    return [
        bomb,
        with_x(zeros),
        packed([*GOOD, ("z.npy", zeros)]),
        with_x(npy(X), zipfile.ZIP_LZMA),
        with_x(npy(X), zipfile.ZIP_BZIP2),
        packed([("x.npy", nested), ("y.npy", nested)]),
        packed([("x.npy", bomb), GOOD[1]]),
        lie(bomb, zeros),
        packed([(f"{i}.npy", b"") for i in range(100_000)] + GOOD, zipfile.ZIP_STORED),
        packed([GOOD[0], ("y.npy", claim("(1000000000000,)", "'<U0'"))]),
    ]


def lie(bomb: bytes, zeros: bytes) -> bytes:
    """Return a bomb whose lists of members say that it is small."""
    with zipfile.ZipFile(io.BytesIO(bomb)) as archive:
        size = archive.getinfo("x.npy").file_size
    assert size > len(zeros)
    return bomb.replace(struct.pack("<I", size), struct.pack("<I", 4096))


def names() -> list[bytes]:
    strange = ["../x", "/etc/x", "a/../../x", "..\\x", "C:\\..\\x"]
    return [
        *(packed([*GOOD, (f"{name}.npy", npy(X))]) for name in strange),
        packed([*GOOD, GOOD[0]]),
        packed([*GOOD, ("x", npy(X))]),
        packed([("../x.npy", npy(X)), ("../y.npy", npy(Y))]),
        packed([("X.npy", npy(X)), ("Y.npy", npy(Y))]),
        packed([]),
    ]


def headers() -> list[bytes]:
    whole = packed(GOOD)
    return [
        with_x(claim("(10000000000000,)")),
        with_x(claim("(4294967296, 4294967296, 4294967296)")),
        with_x(claim("(-4, -2, 2)", content=bytes(16))),
        with_x(claim("(40000000, 2, 2)", content=bytes(16))),
        with_x(claim("(4, 2, 2)", content=bytes(500))),
        with_x(claim("(4, 2, 2)", content=bytes(16), version=b"\x09\0")),
        with_x(claim("(" * 3000 + ")" * 3000)),
        whole[:-30],
        whole.replace(b"PK\5\6", b"PK\6\7" + bytes(16) + b"PK\5\6"),
        whole[:-10] + struct.pack("<II", 2**31, 0) + bytes(2),
    ]


@pytest.fixture(scope="module")
def canary(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("canary") / "dead"


def test_the_canary_dies_of_what_is_run(canary):
    np.save(canary.with_name("a.npy"), np.array([Evil(canary)], dtype=object), allow_pickle=True)
    np.load(canary.with_name("a.npy"), allow_pickle=True)
    canary.rmdir()


def test_all_are_refused_in_little_memory(tmp_path, canary):
    files = [*objects(canary), *bombs(), *names(), *headers()]
    assert len(files) == 40
    for i, content in enumerate(files):
        (tmp_path / f"{i:02d}.npz").write_bytes(content)
    words = [sys.executable, CHILD, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    said = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert said.pop("fine") == "read"
    assert said == {f"{i:02d}.npz": "refused" for i in range(40)}
    assert not canary.exists()
