"""Where the examples of a batch lie in the tensors of a network.

It is not assumed: the network is run on two examples, on three, and on the same three backwards, and what
grows and turns with the batch is where the examples are. A tensor that does neither belongs to no example.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from fivefold.training.private.untracked import Unclear, not_separate, untracked

Key: TypeAlias = tuple[str, str, int]  # weight, call, how many calls that weight has seen before


class Seen(NamedTuple):
    """The tensors that went into a call and those that came out."""

    given: Sequence[Tensor]
    made: Sequence[Tensor]


class Place(NamedTuple):
    """The axis of the examples.

    Attributes:
        axis: Which.
        is_shared: Whether an example may have several entries along it.
        is_together: Whether the entries of an example lie next to one another.
    """

    axis: int
    is_shared: bool = False
    is_together: bool = True

    def front(self, x: Tensor, size: int) -> Tensor:
        """Return `x` with the examples first; shared axes become two."""
        found = x if self.axis == 0 else x.movedim(self.axis, 0)
        if not self.is_shared:
            if len(found) != size:
                raise not_separate("a tensor whose size does not follow the batch")
            return found
        if len(found) % size:
            raise not_separate("a tensor whose size does not follow the batch")
        if self.is_together:
            return found.unflatten(0, (size, -1))
        return found.unflatten(0, (-1, size)).movedim(1, 0)


@dataclass
class Layout:
    """What three runs have shown of every call.

    Attributes:
        two: The calls with two examples.
        three: The calls with three.
        turned: The calls with the same three in reverse order.
        known: What was concluded so far.
    """

    two: Mapping[Key, Seen]
    three: Mapping[Key, Seen]
    turned: Mapping[Key, Seen]
    known: dict[tuple[Key, int], Place | None] = field(default_factory=dict)

    def made(self, key: Key, slot: int = 0) -> Place | None:
        """Return where the examples are in a tensor that a call made; None if it belongs to no example."""
        if (key, slot) not in self.known:
            runs = [run.get(key) for run in (self.two, self.three, self.turned)]
            found = [run.made[slot] for run in runs if run is not None and slot < len(run.made)]
            if len(found) != 3:
                raise untracked(key[1], key[0])
            self.known[key, slot] = _found(found[0], found[1], found[2], key)
        return self.known[key, slot]

    def forget(self) -> None:
        """Let go of the tensors; what was not asked for by now stays unknown."""
        self.two, self.three, self.turned = {}, {}, {}


def _found(two: Tensor, three: Tensor, turned: Tensor, key: Key) -> Place | None:
    if two.shape == three.shape:
        return None
    changed = [i for i, (a, b) in enumerate(zip(two.shape, three.shape, strict=False)) if a != b]
    if two.dim() != three.dim() or len(changed) != 1 or three.shape != turned.shape:
        raise not_separate(key[1])
    axis = changed[0]
    if two.shape[axis] * 3 != three.shape[axis] * 2:
        raise not_separate(key[1])
    is_shared = two.shape[axis] > 2
    options = [Place(axis, is_shared, together) for together in ((True, False) if is_shared else (True,))]  # fmt: skip
    right = [o for o in options if _is_turned(o.front(three, 3), o.front(turned, 3))]
    if not right:
        raise not_separate(key[1])
    if len(right) > 1:
        raise Unclear
    return right[0]


def _is_turned(x: Tensor, turned: Tensor) -> bool:
    if not x.is_floating_point():
        return torch.equal(x.flip(0), turned)
    finite = x[x.isfinite()].abs()
    scale = float(finite.max()) if len(finite) else 1.0
    return torch.allclose(x.flip(0), turned, rtol=1e-3, atol=1e-4 * scale, equal_nan=True)
