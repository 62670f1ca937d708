"""A small network in numbers alone, so that both sides ask the very same model; it can be made slow."""

from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
WIDE = 2048  # of the matrix that makes a model slow


class Net(NamedTuple):
    """Weights of two hidden layers or one; `burn` products with a large matrix cost time and change nothing."""

    weights: list[Array]
    offsets: list[Array]
    burn: int = 0

    def logits(self, x: Array) -> Array:
        """Return what comes out before any softmax."""
        hidden = np.asarray(x, dtype=np.float32)
        if self.burn:
            self._burn(len(hidden))
        for weight, offset in zip(self.weights[:-1], self.offsets[:-1], strict=True):
            hidden = np.maximum(hidden @ weight + offset, 0)
        return hidden @ self.weights[-1] + self.offsets[-1]

    def _burn(self, rows: int) -> None:
        heavy = np.ones((WIDE, WIDE), dtype=np.float32) / WIDE
        for start in range(0, rows, 256):
            wide = np.ones((min(256, rows - start), WIDE), dtype=np.float32)
            for _ in range(self.burn):
                wide = wide @ heavy


def log_odds(logits: Array) -> Array:
    """Return the log-odds of each class; a single number stays what it is."""
    if logits.shape[1] == 1:
        return logits.astype(np.float64)
    top = logits.max(1, keepdims=True)
    shares = np.exp((logits - top).astype(np.float64))
    rest = shares.sum(1, keepdims=True) - shares
    return logits - top - np.log(np.maximum(rest, 1e-300))


def write(net: Net, x: Array, background: Array, file: Path) -> None:
    told = {f"w{i}": w for i, w in enumerate(net.weights)}
    told |= {f"b{i}": b for i, b in enumerate(net.offsets)}
    np.savez(file, x=x, background=background, burn=np.array(net.burn), **told)


def read(file: Path) -> tuple[Net, Array, Array]:
    with np.load(file) as told:
        count = sum(name.startswith("w") for name in told.files)
        weights, offsets = ([told[f"{k}{i}"] for i in range(count)] for k in "wb")
        net = Net(weights, offsets, int(told["burn"]))
        return net, told["x"], told["background"]
