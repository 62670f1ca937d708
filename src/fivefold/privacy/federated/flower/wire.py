"""What travels between server and clients: models and tensors as safetensors, so that nothing in them can run."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fivefold.core.errors import Damaged, MissingExtra
from fivefold.models.save import ABOUT, WEIGHTS, load_model, save_model
from fivefold.models.torch import TorchModel

KIND = "safetensors"
MODEL, TENSORS, TOLD = "model", "tensors", "told"


class Flower(NamedTuple):
    """The parts of Flower that are used."""

    app: Any
    clientapp: Any
    serverapp: Any


def flower() -> Flower:
    """Return Flower.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        from importlib import import_module

        names = ("flwr.app", "flwr.clientapp", "flwr.serverapp")
        return Flower(*(import_module(name) for name in names))
    except ImportError as error:
        raise MissingExtra(
            "A federation between machines needs {package}, which is not installed.",
            mend='Install it in an environment of its own: pip install "fivefold[{extra}]".',
            package="flwr",
            extra="federated",
        ) from error


def content_of(
    told: Mapping[str, int | str],
    tensors: Mapping[str, Tensor] | None = None,
    model: TorchModel | None = None,
) -> Any:
    """Return the content of a message."""
    from safetensors.torch import save

    app = flower().app
    words: dict[str, int | str] = dict(told)
    records: dict[str, Any] = {}
    if model is not None:
        about, weights = _files(model)
        words[MODEL] = about
        records[MODEL] = app.ArrayRecord({MODEL: _array(weights)})
    if tensors:
        whole = {name: one.detach().cpu().contiguous() for name, one in tensors.items()}
        records[TENSORS] = app.ArrayRecord({TENSORS: _array(save(whole))})
    return app.RecordDict(records | {TOLD: app.ConfigRecord(words)})


def told_in(content: Any) -> dict[str, Any]:
    """Return the numbers and words of a message."""
    return dict(content[TOLD]) if TOLD in content else {}


def model_in(content: Any) -> TorchModel:
    """Return the model of a message.

    Raises:
        Damaged: It is not what was sent.
    """
    with TemporaryDirectory() as place:
        folder = Path(place)
        (folder / ABOUT).write_text(str(content[TOLD][MODEL]), encoding="utf-8")
        (folder / WEIGHTS).write_bytes(_bytes_in(content, MODEL))
        return load_model(folder)


def tensor_in(content: Any, name: str, like: Tensor) -> Tensor:
    """Return a tensor of a message, which must have the type and shape of `like`.

    Raises:
        Damaged: It has not, or is not there.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        found = load(_bytes_in(content, TENSORS))[name]
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise _damaged(f"{type(error).__name__}: {error}") from error
    if found.shape != like.shape or found.dtype != like.dtype:
        raise _damaged(f"{name} is {found.dtype} {tuple(found.shape)}")
    return found.to(like.device)


def has_tensors(content: Any) -> bool:
    """Whether a message carries tensors beside the model."""
    return TENSORS in content


def row_of(values: list[int]) -> Tensor:
    """Return whole numbers as a tensor."""
    return torch.tensor(values, dtype=torch.int64)


def _files(model: TorchModel) -> tuple[str, bytes]:
    with TemporaryDirectory() as place:
        folder = Path(place)
        save_model(model, folder)
        return (folder / ABOUT).read_text(encoding="utf-8"), (folder / WEIGHTS).read_bytes()


def _array(data: bytes) -> Any:
    return flower().app.Array("uint8", (len(data),), KIND, data)


def _bytes_in(content: Any, name: str) -> bytes:
    try:
        array = content[name][name]
    except KeyError as error:
        raise _damaged(f"it lacks {name}") from error
    if array.stype != KIND:
        raise _damaged(f"{name} is written as {ascii(array.stype)[:40]}")
    return bytes(array.data)


def _damaged(problem: str) -> Damaged:
    return Damaged(
        "A message is not what is sent in a federated run: {problem}.",
        mend="Use the same version of Fivefold on all machines.",
        problem=problem[:200],
    )
