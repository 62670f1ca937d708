"""Files made to run code or to break a reader. Each payload only creates a canary file."""

import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path


def payload(canary: Path) -> bytes:
    """A pickle of protocol 0 that calls os.system when it is loaded."""
    return f"cos\nsystem\n(S'touch {canary}'\ntR.".encode()


def framed(canary: Path, protocol: int) -> bytes:
    return b"\x80" + bytes([protocol]) + payload(canary)


def through_import(canary: Path) -> bytes:
    """Another family: builtins.eval of an import, which deny-lists of os.system do not see."""
    told = f"__import__('pathlib').Path('{canary}').touch()"
    return f"cbuiltins\neval\n(V{told}\ntR.".encode()


def zipped(members: Mapping[str, bytes]) -> bytes:
    room = io.BytesIO()
    with zipfile.ZipFile(room, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return room.getvalue()


def tarred(name: str, content: bytes) -> bytes:
    room = io.BytesIO()
    with tarfile.open(fileobj=room, mode="w:gz") as archive:
        about = tarfile.TarInfo(name)
        about.size = len(content)
        archive.addfile(about, io.BytesIO(content))
    return room.getvalue()


def object_array(pickled: bytes) -> bytes:
    told = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    told += b" " * (-(len(told) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(told)) + told + pickled


def safetensors(header: object, data: bytes = b"", *, length: int | None = None) -> bytes:
    told = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(told) if length is None else length) + told + data


def entry(
    low: object, high: object, shape: object = (1,), dtype: object = "F32"
) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [low, high]}


def hostile(canary: Path) -> dict[str, bytes]:
    """Return every file by its name."""
    return pickles(canary) | broken_tensors(canary) | broken_words(canary)


def pickles(canary: Path) -> dict[str, bytes]:
    bad, other = payload(canary), through_import(canary)
    suffixes = (
        "pkl",
        "pickle",
        "pt",
        "pth",
        "bin",
        "joblib",
        "dat",
        "ckpt",
        "model",
        "safetensors",
        "json",
        "toml",
    )
    plain = {f"protocol0.{s}": bad for s in suffixes}
    framed_ones = {
        f"protocol{p}.{s}": framed(canary, p) for p in (2, 3, 4, 5) for s in ("pkl", "md")
    }
    torch_like = zipped({"archive/data.pkl": framed(canary, 2), "archive/version": b"3\n"})
    return plain | framed_ones | {
        "eval.pkl": other,
        "eval.json": other,
        "torch.pt": torch_like,
        "torch.pt2": torch_like,
        "torch.bin": torch_like,
        "torch.json": torch_like,
        "torch.safetensors": torch_like,
        "empty_zip.md": zipped({}),
        "array.npy": object_array(framed(canary, 3)),
        "array.txt": object_array(framed(canary, 3)),
        "arrays.npz": zipped({"a.npy": object_array(framed(canary, 3))}),
        "slip.zip": zipped({"../../evil.py": b"boom"}),
        "slip.tar.gz": tarred("../evil.py", b"boom"),
        "keras.h5": b"\x89HDF\r\n\x1a\n" + bad,
        "layer.keras": zipped({"config.json": b"{}", "model.weights.h5": b"\x89HDF"}),
        "graph.onnx": b"\x08\x07\x12\x04evil",
        "run.sh": f"#!/bin/sh\ntouch {canary}\n".encode(),
        "script.txt": f"#!/bin/sh\ntouch {canary}\n".encode(),
        "module.py": f"open({str(canary)!r}, 'w')".encode(),
        "program.json": b"\x7fELF\x02\x01\x01",
        "compressed.pkl.gz": b"\x1f\x8b\x08\x00" + bad,
        "nameless": bad,
    }  # fmt: skip


def broken_tensors(canary: Path) -> dict[str, bytes]:
    four = b"\0\0\0\0"
    cases = {
        "empty": b"",
        "short": b"\x02\0\0",
        "header_too_long": safetensors({}, length=2**40),
        "header_longer_than_file": safetensors({}, length=100),
        "header_list": safetensors([]),
        "header_not_json": safetensors(b"{nope}"),
        "header_not_utf8": safetensors(b'{"\xff": 1}'),
        "header_deep": safetensors(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        "twin_names": safetensors(b'{"a":%b,"a":%b}' % (2 * (json.dumps(entry(0, 4)).encode(),)), four),
        "pickle_behind": safetensors({"a": entry(0, 4)}, four + framed(canary, 4)),
        "pickle_between": safetensors({"a": entry(0, 4), "b": entry(8, 12)}, four + b"evil" + four),
        "overlap": safetensors({"a": entry(0, 4), "b": entry(2, 6)}, four + b"\0\0"),
        "shared": safetensors({"a": entry(0, 4), "b": entry(0, 4)}, four),
        "out_of_range": safetensors({"a": entry(0, 4)}, b"\0"),
        "negative": safetensors({"a": entry(-4, 0)}, b""),
        "backwards": safetensors({"a": entry(4, 0)}, four),
        "shape_lies": safetensors({"a": entry(0, 4, (1000, 1000))}, four),
        "shape_negative": safetensors({"a": entry(0, 4, (-1, -1))}, four),
        "shape_huge": safetensors({"a": entry(0, 4, [2**62] * 8)}, four),
        "shape_deep": safetensors({"a": entry(0, 4, [1] * 5000)}, four),
        "shape_float": safetensors({"a": entry(0, 4, (1.0,))}, four),
        "shape_bool": safetensors({"a": entry(0, 4, (True,))}, four),
        "offsets_three": safetensors({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 8]}}, four),
        "type_unknown": safetensors({"a": entry(0, 4, (1,), "O")}, four),
        "type_list": safetensors({"a": entry(0, 4, (1,), ["F32"])}, four),
        "entry_extra": safetensors({"a": entry(0, 4) | {"code": "x"}}, four),
        "entry_lacks": safetensors({"a": {"dtype": "F32", "shape": [1]}}, four),
        "entry_word": safetensors({"a": "F32"}, four),
        "metadata_nested": safetensors({"__metadata__": {"a": {"b": 1}}}),
        "metadata_list": safetensors({"__metadata__": []}),
    }  # fmt: skip
    return {f"{name}.safetensors": content for name, content in cases.items()}


def broken_words(canary: Path) -> dict[str, bytes]:
    return {
        "empty.json": b"",
        "half.json": b'{"a": ',
        "nul.json": b'{"a": "\0"}',
        "latin.json": '{"a": "é"}'.encode("latin-1"),
        "twins.json": b'{"a": 1, "a": 2}',
        "deep.json": b"[" * 200_000 + b"]" * 200_000,
        "nan.json": b'{"a": NaN}',
        "huge.json": b"9" * 10_000,
        "wide.json": '{"a": 1}'.encode("utf-16"),
        "broken.toml": b"a = ",
        "twins.toml": b"a = 1\na = 2\n",
        "bytes.md": bytes(range(256)),
        "nul.txt": b"fine\0" + payload(canary),
        "trust.json.pkl": payload(canary),
    }
