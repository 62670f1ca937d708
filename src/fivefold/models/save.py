"""Models as two plain files: weights as safetensors, everything else as JSON. Nothing in them can run."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fivefold.core.atomic import write_atomic
from fivefold.core.codec import decode, encode
from fivefold.core.errors import BadInput, Damaged
from fivefold.core.fingerprint import of_json
from fivefold.core.jsonfile import from_json, to_json
from fivefold.core.lineage import Lineage
from fivefold.core.model import Architecture
from fivefold.core.schema import Schema
from fivefold.core.task import Task
from fivefold.models.describe import describe, rebuild
from fivefold.models.torch import TorchModel

FORMAT = 1
WEIGHTS = "model.safetensors"
ABOUT = "model.json"
MOST_ABOUT_BYTES = 64_000_000
MOST_WEIGHT_BYTES = 50_000_000_000


@dataclass(frozen=True, kw_only=True)
class About:
    """What `model.json` holds.

    Attributes:
        format: Version of this layout.
        task: What is predicted.
        schema: What the model eats.
        architecture: How a fresh network of the kind is built, as a table.
        lineage: What was done to the model.
        network: The module tree, as `describe` describes it.
        frozen: Names of the weights that training must leave alone.
        weights: SHA-256 of the file with the weights.
    """

    format: int
    task: Task
    schema: Schema
    architecture: Mapping[str, Any]
    lineage: Lineage
    network: Mapping[str, Any]
    frozen: tuple[str, ...]
    weights: str


def save_model(model: TorchModel, folder: Path) -> None:
    """Write `model.safetensors` and `model.json` into `folder`.

    Raises:
        BadInput: A layer of the network is not one that can be saved.
    """
    from safetensors.torch import save

    network = describe(model.net)
    state = model.net.state_dict()
    weights = save({k: v.detach().cpu().contiguous().clone() for k, v in state.items()})
    about = About(
        format=FORMAT,
        task=model.task,
        schema=model.schema,
        architecture=encode(model.architecture),
        lineage=model.lineage,
        network=network,
        frozen=tuple(n for n, p in model.net.named_parameters() if not p.requires_grad),
        weights=hashlib.sha256(weights).hexdigest(),
    )
    write_atomic(folder / WEIGHTS, weights)
    write_atomic(folder / ABOUT, _sealed(about))


def load_model(folder: Path, *, plugins: tuple[str, ...] = ()) -> TorchModel:
    """Return the model that `save_model` wrote, on the CPU.

    Args:
        folder: Where the two files are.
        plugins: Packages outside this one that may be imported for the architecture.

    Raises:
        BadInput: There is no model in `folder`.
        BadRecipe: The architecture comes from a package that is not among `plugins`.
        Damaged: A file is not what was written.
    """
    about = _unsealed(_read(folder / ABOUT, MOST_ABOUT_BYTES), str(folder / ABOUT))
    weights = _read(folder / WEIGHTS, MOST_WEIGHT_BYTES)
    if hashlib.sha256(weights).hexdigest() != about.weights:
        raise _damaged("its SHA-256 is another one", str(folder / WEIGHTS))
    architecture = decode(about.architecture, Architecture, where="architecture", plugins=plugins)
    with torch.device("meta"):  # costs nothing, however large the description says it is
        net = rebuild(dict(about.network))
    _fill(net, _tensors(weights, str(folder / WEIGHTS)), str(folder / WEIGHTS))
    for name, weight in net.named_parameters():
        weight.requires_grad_(name not in about.frozen)
    return TorchModel(net.eval(), about.task, about.schema, architecture, about.lineage)


def _fill(net: nn.Module, tensors: dict[str, Tensor], where: str) -> None:
    """Put `tensors` in the place of the empty ones of `net`."""
    for name, wanted in net.state_dict().items():
        if name in tensors and tensors[name].is_floating_point() != wanted.is_floating_point():
            raise _damaged(f"{name} has the type {tensors[name].dtype}", where)
    try:
        net.load_state_dict(tensors, assign=True)
    except RuntimeError as error:
        raise _damaged(str(error).splitlines()[-1].strip(), where) from error


def _tensors(weights: bytes, where: str) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(weights)
    except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
        raise _damaged(str(error), where) from error


def _read(path: Path, most: int) -> bytes:
    if not path.is_file():
        raise BadInput(
            "There is no {name} here.",
            where=str(path.parent),
            mend="Give the folder that holds model.json and model.safetensors.",
            name=path.name,
        )
    if path.stat().st_size > most:
        raise _damaged(f"it has more than {most} bytes", str(path))
    return path.read_bytes()


def _sealed(about: About) -> str:
    """Return JSON that carries the hash of its own content."""
    content = json.loads(to_json(about))
    return to_json({"content": content, "sha256": of_json(content)}) + "\n"


def _unsealed(told: bytes, where: str) -> About:
    try:
        found = json.loads(told.decode())
        content = found["content"]
        is_whole = found["sha256"] == of_json(content)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _damaged(str(error), where) from error
    if not is_whole:
        raise _damaged("its SHA-256 is another one", where)
    about = from_json(json.dumps(content), About, where=where)
    if about.format != FORMAT:
        raise Damaged(
            "This model is written in format {found}, and format {known} is read here.",
            where=where,
            mend="Install the version of Fivefold that wrote it.",
            found=about.format,
            known=FORMAT,
        )
    return about


def _damaged(problem: str, where: str) -> Damaged:
    return Damaged(
        "This file is not what was written: {problem}.",
        where=where,
        mend="Get the file again from where it was written.",
        problem=problem[:200],
    )
