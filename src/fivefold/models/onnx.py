"""A network or a pipeline in an ONNX file, run by onnxruntime on the CPU."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.core.data import Inputs, as_tensor
from fivefold.core.errors import BadInput
from fivefold.core.lineage import Lineage
from fivefold.core.schema import Schema
from fivefold.core.task import Task
from fivefold.models.answers import Kind, aligned, check_kind, outputs_from
from fivefold.models.kind import Answers, examples, settled
from fivefold.models.onnx_file import OnnxFile, damaged, needs_onnx, read_onnx
from fivefold.models.ports import Feed, Port, choose, feeder

CHUNK = 1024
KINDS = {
    "tensor(float)": ("number", "float32"),
    "tensor(double)": ("number", "float64"),
    "tensor(float16)": ("number", "float16"),
    "tensor(int64)": ("whole", "int64"),
    "tensor(int32)": ("whole", "int32"),
    "tensor(uint8)": ("whole", "uint8"),
    "tensor(bool)": ("truth", "bool"),
    "tensor(string)": ("word", "object"),
}


@dataclass(frozen=True, kw_only=True)
class OnnxModel:
    """A model of which the graph is known to onnxruntime alone: it answers, and shows no gradients.

    Attributes:
        session: What runs it.
        task: What is predicted.
        schema: What it eats.
        answers: What its output holds: probabilities or logits of each class, or numbers.
        output: Name of the output that is read.
        order: Where each class of the task stands in it; () if as in the task.
        size: How many examples it takes at a time; None if any number.
        lineage: What was done to it, as far as anybody says.
    """

    session: Any = field(repr=False)
    task: Task
    schema: Schema
    answers: Kind
    output: str
    order: tuple[int, ...] = ()
    size: int | None = None
    lineage: Lineage = ()

    def __post_init__(self) -> None:
        check_kind(self.task, self.answers, self.output)

    @property
    def feed(self) -> Feed:
        """How inputs are given."""
        return feeder(_ports(self.session), self.schema, "ONNX")

    def predict(self, x: Inputs) -> Float[Tensor, "batch outputs"]:
        """Return log-probabilities, logits or numbers.

        Raises:
            BadInput: It cannot take these inputs, or its answers cannot be used.
        """
        given, feed = as_tensor(x), self.feed
        told = [torch.zeros(0, self.task.n_outputs)]
        for part in given.split(self.size or CHUNK) if len(given) else ():
            answer = _run(self.session, feed, part, self.size)[self.output]
            values, _ = _plain(answer)
            told.append(outputs_from(values, len(part), self.task, self.answers, self.output))
        found = torch.cat(told)
        return found[:, list(self.order)] if self.order else found

    def with_lineage(self, lineage: Lineage) -> Self:
        """Return the same predictor with another history."""
        return replace(self, lineage=lineage)


def open_onnx(path: Path, task: Task, schema: Schema, answers: Answers) -> OnnxModel:
    """Return the model in an ONNX file.

    Raises:
        BadInput: It does not fit the data or the task, or answers labels alone.
        Damaged: The file is not sound, or reaches outside its folder.
        MissingExtra: onnxruntime is not installed.
    """
    found = read_onnx(path)
    session = _session(path, found)
    ports = _ports(session)
    feed = feeder(ports, schema, str(path))
    size = next((p.shape[0] for p in ports if p.shape), None)
    asked = examples(schema)
    few = asked[: size or None]
    outputs = _run(session, feed, few, size)
    name = choose(outputs, len(few), task.n_outputs, str(path))
    classes = _plain(outputs[name])[1] or found.classes
    kind = settled(answers, lambda x: _all(session, feed, x, size, name), task, schema, str(path))
    is_told = task.is_classification and len(classes) == task.n_outputs
    order = aligned(classes, task, str(path)) if is_told else ()
    return OnnxModel(
        session=session,
        task=task,
        schema=schema,
        answers=kind,
        output=name,
        order=order if order != tuple(range(task.n_outputs)) else (),
        size=size,
    )


def _session(path: Path, found: OnnxFile) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise needs_onnx(path) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(
            found.source, sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # the runtime has many errors of its own
        raise damaged(path, str(error)) from error


def _ports(session: Any) -> list[Port]:
    return [_port(given) for given in session.get_inputs()]


def _port(given: Any) -> Port:
    if given.type not in KINDS:
        raise BadInput(
            "The input {name} is of the type {kind}, which no column can fill.",
            mend="Export the model with inputs of numbers or strings.",
            name=given.name,
            kind=given.type,
        )
    kind, dtype = KINDS[given.type]
    shape = tuple(s if isinstance(s, int) and s > 0 else None for s in given.shape)
    return Port(given.name, kind, shape, dtype)  # type: ignore[arg-type]


def _run(session: Any, feed: Feed, x: Tensor, size: int | None) -> dict[str, Any]:
    """Return all outputs for `x`; a model for a fixed number of examples gets copies of the last."""
    n = len(x)
    if size is not None and n < size:
        x = torch.cat([x, x[-1:].expand(size - n, *x.shape[1:])])
    try:
        told = session.run(None, feed(x))
    except BadInput:
        raise
    except Exception as error:  # the runtime has many errors of its own
        raise BadInput(
            "The model fails on these inputs: {problem}.",
            mend="Check the shape and types of its inputs, and values that are missing.",
            problem=str(error).partition("\n")[0][:300],
        ) from error
    return {o.name: v[:n] for o, v in zip(session.get_outputs(), told, strict=True)}


def _all(session: Any, feed: Feed, x: Tensor, size: int | None, name: str) -> Any:
    parts = [_run(session, feed, part, size)[name] for part in x.split(size or len(x))]
    return np.concatenate([_plain(part)[0] for part in parts])


def _plain(answer: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return an answer as an array and, if it is a mapping of classes for each row, the classes."""
    if not isinstance(answer, list):
        return answer, ()
    classes = tuple(answer[0]) if answer else ()
    return np.array([[row[c] for c in classes] for row in answer]), classes
