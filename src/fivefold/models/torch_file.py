"""A network that its owner's own function builds, with weights from a safetensors file."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fivefold.core.data import Inputs
from fivefold.core.errors import BadInput, Damaged
from fivefold.core.lineage import Lineage
from fivefold.core.schema import Schema
from fivefold.core.task import Task
from fivefold.models.answers import LEAST
from fivefold.models.callable import import_function
from fivefold.models.kind import Answers, examples, settled
from fivefold.models.torch import batched

TWO = 2
MOST_WEIGHT_BYTES = 50_000_000_000


@dataclass(frozen=True, kw_only=True)
class NetModel:
    """A network whose gradients are open to us, and of which nobody says how to build another.

    Attributes:
        net: The network; it eats the user's own columns or pixels and gives logits or numbers.
        task: What is predicted.
        schema: What it eats.
        lineage: What was done to it, as far as anybody says.
    """

    net: nn.Module
    task: Task
    schema: Schema
    lineage: Lineage = ()

    @torch.no_grad()
    def predict(self, x: Inputs) -> Float[Tensor, "batch outputs"]:
        """Return logits (classification) or numbers (regression) on the CPU."""
        return batched(self.net, x)

    def with_net(self, net: nn.Module) -> Self:
        """Return the same model around another network, without a history."""
        return replace(self, net=net, lineage=())

    def with_lineage(self, lineage: Lineage) -> Self:
        """Return the same model with another history."""
        return replace(self, lineage=lineage)


class Answering(nn.Module):
    """A network whose answers are made logits, one per class."""

    def __init__(self, net: nn.Module, *, is_probability: bool) -> None:
        super().__init__()
        self.net = net
        self.is_probability = is_probability

    def forward(self, x: Tensor) -> Tensor:
        """Return logits; a single column speaks of the second of two classes."""
        told = self.net(x)
        told = told[:, None] if told.ndim == 1 else told
        if told.shape[1] == 1:
            told = torch.cat([1 - told if self.is_probability else torch.zeros_like(told), told], 1)
        return told.clamp_min(LEAST).log() if self.is_probability else told


def open_network(
    path: Path, factory: str, task: Task, schema: Schema, answers: Answers
) -> NetModel:
    """Return the network that `factory` builds, with every weight taken from the file.

    Raises:
        BadInput: No factory is named, it builds no network, or its network does not fit the data.
        Damaged: The file is not sound, or its weights are not exactly those of the network.
    """
    if not factory:
        raise BadInput(
            "Weights alone are no model: {name} does not say how the network is built.",
            where=str(path),
            mend="Name the function that builds it: --factory package.module:function.",
            name=path.name,
        )
    net = _built(factory)
    try:
        net.load_state_dict(_weights(path), strict=True)
    except RuntimeError as error:
        raise _damaged(path, "; ".join(str(error).split("\n\t")[1:]) or str(error)) from error
    net.eval()
    kind = settled(answers, lambda x: _asked(net, x, factory), task, schema, factory)
    shape = tuple(_asked(net, _example(schema), factory).shape)
    if task.is_classification and (kind == "probabilities" or shape[1:] in ((), (1,))):
        net = Answering(net, is_probability=kind == "probabilities")
        shape = (1, TWO) if shape[1:] in ((), (1,)) else shape
    if shape != (1, task.n_outputs):
        raise BadInput(
            "The network answers {found} numbers, and the task needs {wanted}.",
            where=factory,
            mend="Give the data it was trained on.",
            found=str(shape[1:]),
            wanted=task.n_outputs,
        )
    return NetModel(net=net.eval(), task=task, schema=schema)


def _example(schema: Schema) -> Tensor:
    return examples(schema)[:1]


def _built(factory: str) -> nn.Module:
    function = import_function(factory)
    state = torch.random.get_rng_state()  # layers draw their first weights from it
    try:
        net = function()
    except Exception as error:  # whatever a stranger's code may raise
        raise BadInput(
            "{name} fails with {kind}: {problem}.",
            mend="It is called without arguments and returns a torch.nn.Module.",
            name=factory,
            kind=type(error).__name__,
            problem=str(error)[:200],
        ) from error
    finally:
        torch.random.set_rng_state(state)
    if not isinstance(net, nn.Module):
        raise BadInput(
            "{name} returned a {kind}, not a network.",
            mend="It is called without arguments and returns a torch.nn.Module.",
            name=factory,
            kind=type(net).__name__,
        )
    return net


def _weights(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if (size := path.stat().st_size) > MOST_WEIGHT_BYTES:
        raise BadInput(
            "This file has {n} bytes; the limit is {most}.",
            where=str(path),
            mend="Export a smaller model, or serve it and give its address.",
            n=size,
            most=MOST_WEIGHT_BYTES,
        )
    try:
        return load_file(path)
    except (SafetensorError, ValueError, KeyError, RuntimeError, OSError) as error:
        raise _damaged(path, str(error)) from error


@torch.no_grad()
def _asked(net: nn.Module, x: Tensor, factory: str) -> Any:
    try:
        return net(x)
    except Exception as error:  # whatever a stranger's code may raise
        raise BadInput(
            "The network does not take inputs of the shape {shape}: {problem}.",
            where=factory,
            mend="Let the factory return a network that eats the raw columns or pixels, its preparation included.",
            shape=str(tuple(x.shape)),
            problem=str(error).partition("\n")[0][:200],
        ) from error


def _damaged(path: Path, problem: str) -> Damaged:
    return Damaged(
        "These weights do not fit the network: {problem}.",
        where=str(path),
        mend="Write them with safetensors.torch.save_file(net.state_dict(), file), from the network that the factory returns.",
        problem=problem.strip()[:300],
    )
