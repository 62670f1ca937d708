"""Content hashes."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from fivefold.core.data import Batch, Inputs


def of_tensor(value: Tensor) -> str:
    """Return a hash of dtype, shape and content."""
    told = f"{value.dtype}{tuple(value.shape)}".encode()
    data = value.detach().cpu().contiguous().flatten()
    return hashlib.sha256(told + data.numpy().tobytes()).hexdigest()


def of_inputs(x: Inputs) -> str:
    """Return a hash of a tensor or of a mapping of tensors."""
    if isinstance(x, Tensor):
        return of_tensor(x)
    return of_json({k: of_tensor(v) for k, v in x.items()})


def of_batch(batch: Batch) -> str:
    """Return a hash of inputs and targets."""
    return of_json([of_inputs(batch.x), of_tensor(batch.y)])


def of_state(state: Mapping[str, Tensor]) -> str:
    """Return a hash of named tensors."""
    return of_json({k: of_tensor(v) for k, v in state.items()})


def of_json(value: Any) -> str:
    """Return a hash of JSON-ready data; the order of keys does not matter."""
    told = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(told.encode()).hexdigest()
