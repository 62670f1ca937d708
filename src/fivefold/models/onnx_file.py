"""What an ONNX file says of itself, read without running it, and refused if it reaches outside its folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from fivefold.core.errors import BadInput, Damaged, MissingExtra

MOST_BYTES = 10_000_000_000
MOST_GRAPH_BYTES = 2_000_000_000  # what a protocol buffer can hold
LABELS = ("classlabels_strings", "classlabels_ints", "classlabels_int64s")


class OnnxFile(NamedTuple):
    """The bytes or, if weights lie beside it, the path; the files it needs; and the classes it names."""

    source: bytes | str
    files: tuple[Path, ...]
    classes: tuple[str, ...]


def read_onnx(path: Path) -> OnnxFile:
    """Return what is in the file, once every path in it was found to lie in its own folder.

    Raises:
        BadInput: The file is too large.
        Damaged: It is not ONNX, or refers to a file elsewhere.
        MissingExtra: ONNX is not installed.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise needs_onnx(path) from error
    size = path.stat().st_size
    if size > MOST_GRAPH_BYTES:
        raise _too_large(path, size, MOST_GRAPH_BYTES)
    told = path.read_bytes()
    try:
        model = onnx.ModelProto.FromString(told)
    except DecodeError as error:
        raise damaged(path, "it is not ONNX") from error
    if not model.graph.node or not model.graph.output:
        raise damaged(path, "there is no network in it")
    nodes = list(_nodes(model))
    beside = {_beside(path, tensor) for tensor in _tensors(model, nodes) if _is_outside(tensor)}
    if (size := sum(p.stat().st_size for p in beside)) > MOST_BYTES:
        raise _too_large(path, size, MOST_BYTES)
    return OnnxFile(str(path) if beside else told, (path, *sorted(beside)), _classes(nodes))


def _graphs(model: Any) -> Iterator[Any]:
    yield model.graph
    for training in model.training_info:
        yield from (training.initialization, training.algorithm)


def _nodes(model: Any) -> Iterator[Any]:
    """Yield every node, those of functions and of inner graphs included."""
    waiting = [*_graphs(model), *model.functions]
    while waiting:
        for node in waiting.pop().node:
            yield node
            for attribute in node.attribute:
                waiting += [attribute.g] if attribute.HasField("g") else []
                waiting += attribute.graphs


def _tensors(model: Any, nodes: list[Any]) -> Iterator[Any]:
    """Yield every stored tensor."""
    inner = [g for n in nodes for a in n.attribute for g in (*a.graphs, *([a.g] if a.HasField("g") else []))]  # fmt: skip
    for graph in (*_graphs(model), *inner):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    for attribute in (a for n in nodes for a in n.attribute):
        yield from (attribute.t, *attribute.tensors)
        for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
            yield from (sparse.values, sparse.indices)


def _is_outside(tensor: Any) -> bool:
    return bool(tensor.external_data) or tensor.data_location == type(tensor).EXTERNAL


def _beside(path: Path, tensor: Any) -> Path:
    """Return the file that holds the tensor: a plain one in the folder of the model.

    Raises:
        Damaged: It lies elsewhere, or is not there.
    """
    told = {entry.key: entry.value for entry in tensor.external_data}
    location = told.get("location", "")
    folder = path.parent.resolve()
    is_plain = bool(location) and "\0" not in location and "\\" not in location
    found = (folder / location) if is_plain else folder
    is_inside = is_plain and found.resolve().is_relative_to(folder) and ".." not in found.parts
    if not is_inside or found.is_symlink() or not found.is_file():
        raise damaged(path, f"its weights are said to be in {ascii(location)[:100]}")
    return found


def _classes(nodes: list[Any]) -> tuple[str, ...]:
    """Return the classes that the last classifier of ONNX-ML names, in the order of its outputs."""
    found: tuple[str, ...] = ()
    for attribute in (a for n in nodes for a in n.attribute if a.name in LABELS):
        words = [s.decode(errors="replace") for s in attribute.strings]
        found = tuple(words or map(str, attribute.ints)) or found
    return found


def needs_onnx(path: Path) -> MissingExtra:
    """Return the error for a machine without ONNX."""
    return MissingExtra(
        "Reading this file needs {package}, which is not installed.",
        where=str(path),
        mend='Install it: pip install "fivefold[{extra}]".',
        package="onnxruntime",
        extra="onnx",
    )


def damaged(path: Path, problem: str) -> Damaged:
    """Return the error for a file that cannot be used."""
    return Damaged(
        "This is not a sound ONNX file: {problem}.",
        where=str(path),
        mend="Export it again, with its weights inside or in the same folder.",
        problem=problem.partition("\n")[0][:300],
    )


def _too_large(path: Path, size: int, most: int) -> BadInput:
    return BadInput(
        "This file has {n} bytes; the limit is {most}.",
        where=str(path),
        mend="Export a smaller model, or serve it and give its address.",
        n=size,
        most=most,
    )
