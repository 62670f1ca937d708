"""The answer of the Open Inference Protocol v2, as JSON or with bytes behind it."""

import struct
from collections.abc import Mapping, Sequence
from math import exp
from typing import Any, NamedTuple

import numpy as np

from fivefold.core.task import Task
from fivefold.deploy.server.call import Call
from fivefold.deploy.server.reply import json_bytes
from fivefold.deploy.server.tensors import Array

FEW = 256  # numbers up to which plain Python is quicker than NumPy


class Said(NamedTuple):
    """A body, and how long its JSON part is if bytes follow it."""

    body: bytes
    header: int | None = None


class Telling:
    """Puts answers into the words of the protocol.

    Args:
        name: Name of the model.
        version: Its version.
        task: What it predicts.
    """

    def __init__(self, name: str, version: str, task: Task) -> None:
        self.name = name
        self.version = version
        self.task = task
        self.usual = ("label", "probabilities") if task.is_classification else ("value",)
        self.known = (*self.usual, "logits") if task.is_classification else self.usual
        self._classes = np.array(task.classes, dtype=object)

    def tell(self, call: Call) -> Said:
        """Return the body of the answer to `call`."""
        assert call.answer is not None
        asked: list[dict[str, Any]] = call.asked.get("outputs") or [
            {"name": name} for name in self.usual
        ]
        all_binary = call.asked.get("parameters", {}).get("binary_data_output") is True
        logits = call.answer.outputs
        if not _is_number(logits):
            raise ValueError("The model answers with what is no number.")
        outputs: list[dict[str, Any]] = []
        tail: list[bytes] = []
        for one in asked:
            name = one["name"]
            is_binary = one.get("parameters", {}).get("binary_data", all_binary) is True
            if name == "probabilities" and not is_binary and logits.size <= FEW:
                shares = [p for row in logits.tolist() for p in softmax(row)]
                outputs.append({"name": name, "datatype": "FP32", "shape": list(logits.shape), "data": shares})  # fmt: skip
                continue
            outputs.append(_tensor(name, self._values(name, logits), tail if is_binary else None))
        told = self._frame(call) | {"outputs": outputs}
        body = json_bytes(told)
        return Said(body + b"".join(tail), len(body)) if tail else Said(body)

    def _frame(self, call: Call) -> dict[str, Any]:
        told: dict[str, Any] = {
            "model_name": self.name,
            "model_version": self.version,
            "id": call.request,
        }
        if call.flagged:
            told["parameters"] = {"suspicious_rows": ",".join(map(str, call.flagged))}
        return told

    def _values(self, name: str, logits: Array) -> Array:
        if name == "label":
            return self._classes[logits.argmax(1)]
        return probabilities(logits) if name == "probabilities" else logits

    def outputs(self) -> Sequence[Mapping[str, Any]]:
        """Return what the metadata say of the outputs."""
        n = self.task.n_outputs
        return [
            {"name": name, "datatype": "BYTES" if name == "label" else "FP32",
             "shape": [-1] if name == "label" else [-1, n]}
            for name in self.known
        ]  # fmt: skip


def _is_number(logits: Array) -> bool:
    """Return whether nothing is NaN; a sum tells, but for infinities of both signs."""
    whole = np.add.reduce(logits, None)
    return bool(whole == whole or not np.isnan(logits).any())


def softmax(logits: Sequence[float]) -> list[float]:
    """Return the softmax of one row; for few numbers quicker than an array."""
    most = max(logits)
    raised = [exp(v - most) for v in logits]
    whole = sum(raised)
    return [v / whole for v in raised]


def probabilities(logits: Array) -> Array:
    """Return the softmax of each row."""
    raised = np.exp(logits - logits.max(1, keepdims=True))
    return raised / raised.sum(1, keepdims=True)


def _tensor(name: str, values: Array, tail: list[bytes] | None) -> dict[str, Any]:
    is_text = values.dtype == object
    told: dict[str, Any] = {
        "name": name,
        "datatype": "BYTES" if is_text else "FP32",
        "shape": list(values.shape),
    }
    if tail is None:
        return told | {"data": values.reshape(-1).tolist()}
    packed = _packed(values.tolist()) if is_text else values.astype("<f4").tobytes()
    tail.append(packed)
    return told | {"parameters": {"binary_data_size": len(packed)}}


def _packed(strings: Sequence[str]) -> bytes:
    encoded = [s.encode() for s in strings]
    return b"".join(struct.pack("<I", len(s)) + s for s in encoded)
