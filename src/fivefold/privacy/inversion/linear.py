"""Inputs of a linear layer from its gradient, by one division (Phong et al., 2018).

The weight gradient of a unit is the sum over examples of (slope of the example) * input, and the bias
gradient the sum of those slopes. So their quotient is the input itself where a unit answers to one example
alone; otherwise it is an average of inputs. Units that agree on a quotient answer to the same one example.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

MOST_UNITS = 256  # with the largest bias gradients; the others are the least exact
ALIKE = 1e-3  # of the range of a value: two units that agree
FAINT = 1e-6  # of the largest bias gradient: below it a quotient is rounding


class Range(NamedTuple):
    """Where prepared values may lie, each of one row's shape."""

    low: Tensor
    high: Tensor

    def clip(self, z: Tensor) -> Tensor:
        """Return `z` moved to within one width of the range, because rows may be unlike all that are known."""
        width = self.high - self.low
        return z.clamp(self.low - width, self.high + width)


def first_linear(body: nn.Module) -> str | None:
    """Return the name of the linear layer with a bias that reads the inputs; None if there is none.

    Only a layer that stands first in (nested) `Sequential`s is known to read them.
    """
    name, layer = "", body
    while type(layer) is nn.Sequential and len(layer):
        child, layer = next(iter(layer.named_children()))
        name = f"{name}.{child}".lstrip(".")
    trained = {n for n, w in layer.named_parameters() if w.requires_grad}
    if not isinstance(layer, nn.Linear) or trained != {"weight", "bias"}:
        return None
    return name


def solved(
    seen: Mapping[str, Float[Tensor, "client ..."]],
    layer: str,
    n_rows: int,
    room: Range,
    middle: Float[Tensor, " value"],
) -> Float[Tensor, "client row value"]:
    """Return the rows that most units of the layer agree on; `middle` where they name too few.

    Args:
        seen: The update of each client.
        layer: Name of the linear layer that reads the inputs.
        n_rows: How many rows each client has.
        room: Where values may lie.
        middle: What is guessed of a row that cannot be told.
    """
    prefix = f"{layer}." if layer else ""
    weights, biases = seen[f"{prefix}weight"], seen[f"{prefix}bias"]
    return torch.stack(
        [_of_one(w, b, n_rows, room, middle) for w, b in zip(weights, biases, strict=True)]
    )


def _of_one(
    weight: Float[Tensor, "unit value"],
    bias: Float[Tensor, " unit"],
    n_rows: int,
    room: Range,
    middle: Float[Tensor, " value"],
) -> Float[Tensor, "row value"]:
    order = bias.abs().argsort(descending=True, stable=True)[:MOST_UNITS]
    order = order[bias[order].abs() > FAINT * bias.abs().max()]
    guess = weight[order].double() / bias[order].double()[:, None]
    width = (room.high - room.low).clamp(min=1e-9).double()
    alike = torch.cdist(guess / width, guess / width, p=torch.inf) < ALIKE
    found: list[Tensor] = []
    left = torch.ones(len(guess), dtype=torch.bool)
    while len(found) < n_rows and bool(left.any()):
        votes = (alike & left).sum(1).masked_fill(~left, -1)
        unit = int(votes.argmax())  # of equals the first, whose bias gradient is the largest
        best = (alike[unit] & left).nonzero()[0, 0]
        found.append(room.clip(guess[best].to(weight.dtype)))
        left &= ~alike[unit]
    found += [middle] * (n_rows - len(found))
    return torch.stack(found)
