"""The sum of clipped gradients of a batch, by the quickest way that is known to be right."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from fivefold.core import progress
from fivefold.core.data import Batch
from fivefold.core.errors import BadInput
from fivefold.core.loss import Loss
from fivefold.core.text import Text, text
from fivefold.training.private import alone, book
from fivefold.training.private.clipping import Clipping, within
from fivefold.training.private.kinds import Use
from fivefold.training.private.layout import Layout
from fivefold.training.private.untracked import Unclear, Untracked
from fivefold.training.private.verify import LEAST, verified

Weights: TypeAlias = dict[str, Tensor]
Method: TypeAlias = Literal["auto", "together", "alone"]
SECOND = 2  # batch that is checked beside the powers of four: weights that began at zero have moved by then


class Clipped(NamedTuple):
    """The clipped gradients of a batch.

    Attributes:
        total: Their sum by weight.
        excess: Half of what the examples with a norm within the bound outnumber the others by. Adding or
            removing an example moves it by at most 1/2.
    """

    total: Weights
    excess: float


@dataclass
class Engine:
    """Per-example gradients, with what was learned of the network so far.

    Attributes:
        method: "together" for one backward pass over the batch or an error; "alone" for each example by
            itself; "auto" for the first where it is right, and else the second.
        most: Examples that are run at once; None for all.
        layout: Where the examples are in the network's tensors; None until it is known.
        is_alone: Whether examples are run by themselves from now on.
        n_batches: Batches seen.
        n_dropped: Examples left out because their gradient was not finite.
        notes: What the user must know.
        kept: Uses of the last batch. They are let go when the next are there, and not before, or the
            allocator would hand their pages back and ask for them again at every batch.
    """

    method: Method = "auto"
    most: int | None = None
    layout: Layout | None = None
    is_alone: bool = False
    n_batches: int = 0
    n_dropped: int = 0
    notes: list[Text] = field(default_factory=list[Text])
    kept: Mapping[str, Use] = field(default_factory=dict[str, Use], repr=False)

    def total(
        self, net: nn.Module, batch: Batch, loss: Loss, clipping: Clipping, clip_norm: float
    ) -> Weights:
        """Return the sum of the clipped gradients of each trainable weight, by name.

        An example with a gradient that is not finite contributes nothing. An empty batch sums to zero.

        Raises:
            BadInput: A layer mixes the examples of a batch.
            Untracked: The method is "together", and examples cannot be told apart.
        """
        return self.clipped(net, batch, loss, clipping, clip_norm).total

    def clipped(
        self, net: nn.Module, batch: Batch, loss: Loss, clipping: Clipping, clip_norm: float
    ) -> Clipped:
        """Return the same, with how many examples lay within the bound.

        One with a gradient that is not finite does not.
        """
        refuse_mixing(net)
        weights = {n: p for n, p in net.named_parameters() if p.requires_grad}
        total: Weights = {}
        n_within = 0.0
        for uses in self._uses(net, weights, batch, loss) if weights and batch.size else ():
            with torch.no_grad():
                parts, n_more = self._clipped(uses, clipping, clip_norm)
                n_within += n_more
                for name, part in parts.items():
                    part = part.view(weights[name].shape).to(weights[name].dtype)
                    total[name] = total[name] + part if name in total else part
        whole = {n: total[n] if n in total else torch.zeros_like(w) for n, w in weights.items()}
        return Clipped(whole, n_within - batch.size / 2)

    def _uses(
        self, net: nn.Module, weights: Mapping[str, Tensor], batch: Batch, loss: Loss
    ) -> Iterator[Mapping[str, Use]]:
        self.n_batches += 1
        if self.method != "alone" and not self.is_alone:
            self._check(net, weights, batch, loss)
        for start in range(0, batch.size, self.most or batch.size):
            piece = batch.take(slice(start, start + (self.most or batch.size)))
            found = self._together(net, weights, piece, loss)
            if found is not None:
                yield found
            else:
                for part in alone.pieces(piece, weights):
                    yield alone.uses_of(net, weights, part, loss)

    def _check(
        self, net: nn.Module, weights: Mapping[str, Tensor], batch: Batch, loss: Loss
    ) -> None:
        """Compare three examples of the batch with what each says by itself, now and then."""
        n = self.n_batches
        is_due = self.layout is None or n == SECOND or (n & (n - 1) == 0 and n.bit_length() % 2)
        if not is_due or batch.size < LEAST:
            return
        try:
            self.layout = verified(net, weights, batch, loss)
        except Untracked as error:
            self._give_up(error, weights)
        except Unclear:
            return  # what was known stays known; without it this batch is run alone

    def _together(
        self, net: nn.Module, weights: Mapping[str, Tensor], piece: Batch, loss: Loss
    ) -> Mapping[str, Use] | None:
        """Return the uses of the weights in one pass, or None where that is not known to be right."""
        if self.method == "alone" or self.is_alone or self.layout is None:
            return None
        try:
            self.kept = book.uses_of(net, weights, piece, loss, self.layout)
            return self.kept
        except Untracked as error:
            self._give_up(error, weights)
            return None

    def _give_up(self, error: Untracked, weights: Mapping[str, Tensor]) -> None:
        if self.method == "together":
            raise error
        self.is_alone, self.layout, self.kept = True, None, {}
        mebibytes = sum(w.numel() * w.element_size() for w in weights.values()) / 2**20
        note = text(
            "Each example is run by itself, which is slower and keeps {size} MiB for each: {why}",
            size=mebibytes,
            why=str(error.what),
        )
        self.notes.append(note)
        for _ in progress.track((None,), str(note)):
            pass

    def _clipped(
        self, uses: Mapping[str, Use], clipping: Clipping, clip_norm: float
    ) -> tuple[dict[str, Tensor], float]:
        """Return the weighted sums and how many examples are within the bound.

        Those whose gradient is not finite are left out of both.
        """
        if not uses:
            return {}, 0.0
        squares = {name: use.squares for name, use in uses.items()}
        finite = torch.stack([*squares.values()]).sum(0).isfinite()
        if not bool(finite.all()):
            rows = finite.nonzero()[:, 0]
            self.n_dropped += len(finite) - len(rows)
            uses = {name: use.take(rows) for name, use in uses.items()}
            squares = {name: square[rows] for name, square in squares.items()}
            if not len(rows):
                return {}, 0.0
        factors = clipping.factors(squares, clip_norm)
        parts = {name: use.weighted(factors[name]) for name, use in uses.items()}
        return parts, float(within(squares, clip_norm).sum())


def refuse_mixing(net: nn.Module) -> None:
    """Check that no layer normalizes over a batch, or learns statistics of one.

    Raises:
        BadInput: One does.
    """
    for name, layer in net.named_modules():
        is_over_batch = isinstance(layer, nn.modules.batchnorm._BatchNorm)  # pyright: ignore[reportPrivateUsage]
        if is_over_batch or getattr(layer, "track_running_stats", False):
            raise BadInput(
                "{layer} learns from all the examples of a batch at once, so the share of one example cannot be bounded.",
                where=name,
                mend="Use GroupNorm or LayerNorm instead.",
                layer=type(layer).__name__,
            )
