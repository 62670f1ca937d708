"""Recurrent layers, unrolled so that what their gates saw is known."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from fivefold.training.private.layers import positions
from fivefold.training.private.tap import Call, Rule, Tap
from fivefold.training.private.use import Direct, product

Numbers: TypeAlias = tuple[Tensor, ...]
Cell: TypeAlias = Callable[[Tensor, Tensor, Numbers], tuple[Numbers, Tensor | None]]


def lstm(given: Tensor, kept: Tensor, state: Numbers) -> tuple[Numbers, None]:
    """Return the next state of a long short-term memory (Hochreiter and Schmidhuber, 1997)."""
    enter, keep, new, leave = (given + kept).chunk(4, 1)
    cell = keep.sigmoid() * state[1] + enter.sigmoid() * new.tanh()
    return (leave.sigmoid() * cell.tanh(), cell), None


def gru(given: Tensor, kept: Tensor, state: Numbers) -> tuple[Numbers, Tensor]:
    """Return the next state of a gated unit (Cho et al., 2014), and how its gates pass on a gradient."""
    (reset, keep, new), (reset_kept, keep_kept, new_kept) = given.chunk(3, 1), kept.chunk(3, 1)
    reset, keep = (reset + reset_kept).sigmoid(), (keep + keep_kept).sigmoid()
    new = (new + reset * new_kept).tanh()
    even = torch.ones_like(reset)
    return (new + keep * (state[0] - new),), torch.cat([even, even, reset.detach()], 1)


def simple(bend: Callable[[Tensor], Tensor]) -> Cell:
    """Return the cell of a plain recurrent layer."""
    return lambda given, kept, state: ((bend(given + kept),), None)


def unrolled(cell: Cell) -> Rule:
    """Return the rule of a layer whose every position is one call of `cell`."""

    def rule(tap: Tap, call: Call) -> Numbers:
        if len(call.args) != 9 or isinstance(call.args[2], Tensor):
            raise call.unknown()  # packed sequences
        x, start, flat, has_bias, n_layers, dropout, training, is_both, is_first = call.args
        start = (start,) if isinstance(start, Tensor) else start
        n, step = n_layers * (1 + is_both), 4 if has_bias else 2
        if len(flat) != n * step or tap.place(call).axis != (0 if is_first else 1):
            raise call.unknown()
        call.expected(*(call.owner(w) for w in flat))
        x, ends = x if is_first else x.transpose(0, 1), list[Numbers]()
        for layer in range(n_layers):
            if layer and dropout and training:
                x = F.dropout(x, dropout)
            sides: list[Tensor] = []
            for k in range(layer * (1 + is_both), (layer + 1) * (1 + is_both)):
                weights, state = flat[k * step : (k + 1) * step], tuple(s[k] for s in start)
                out, end = _run(tap, call, cell, (x, state), weights, is_back=len(sides) == 1)
                sides.append(out)
                ends.append(end)
            x = torch.cat(sides, 2)
        return (x if is_first else x.transpose(0, 1), *map(torch.stack, zip(*ends, strict=True)))

    return rule


def _run(
    tap: Tap,
    call: Call,
    cell: Cell,
    given: tuple[Tensor, Numbers],
    weights: Sequence[Tensor],
    *,
    is_back: bool,
) -> tuple[Tensor, Numbers]:
    """Return the outputs `(batch, position, feature)` of one direction of one layer, and its last state."""
    x, state = given
    enter, keep, *biases = (w.detach() for w in weights)
    gates, saved = F.linear(x, enter, biases[0] if biases else None), x.detach()
    owners = [call.owner(w) for w in weights]
    n = x.shape[1]
    order = range(n - 1, -1, -1) if is_back else range(n)
    seen, made = ([torch.empty(0)] * n for _ in range(2))
    passed: dict[int, Tensor] = {}

    def record(slope: Tensor) -> None:
        g = positions(slope)
        kept = g * torch.stack([passed[t] for t in range(n)], 1) if passed else g
        pairs = ((g, positions(saved)), (kept, torch.stack(seen, 1)))
        for owner, (left, right) in zip(owners[:2], pairs, strict=True):
            if owner is not None:
                owner.uses.append(product(left, positions(right)))
        for owner, (left, _) in zip(owners[2:], pairs, strict=False):
            if owner is not None:
                owner.uses.append(Direct(left.sum(1)))

    gates = tap.tap(gates, record, saved)
    for t in order:
        seen[t] = state[0].detach()
        kept = F.linear(state[0], keep, biases[1] if biases else None)
        state, passing = cell(gates[:, t], kept, state)
        if passing is not None:
            passed[t] = passing
        made[t] = state[0]
    return torch.stack(made, 1), state


RECURRENT: dict[Any, Rule] = {
    "lstm": unrolled(lstm),
    "gru": unrolled(gru),
    "rnn_tanh": unrolled(simple(torch.tanh)),
    "rnn_relu": unrolled(simple(torch.relu)),
}
