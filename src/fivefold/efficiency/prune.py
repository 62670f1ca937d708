"""Structured pruning by magnitude (Li et al., 2017) with a short recovery."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from fivefold.core.data import Seen, shuffled
from fivefold.core.errors import BadInput
from fivefold.core.limits import Count, Natural, Share
from fivefold.core.lineage import Claim
from fivefold.core.loss import loss_of
from fivefold.core.model import HasNet, Model, with_net
from fivefold.core.randomness import spawn
from fivefold.core.schema import Column, Schema
from fivefold.core.step import Step
from fivefold.efficiency.shrink import pruned
from fivefold.efficiency.width import narrower
from fivefold.models import TorchModel
from fivefold.models.torch import device_of
from fivefold.training.fit import fit
from fivefold.training.optimizer import AdamW, Optimizer

N_CHECKED = 32  # random inputs on which the smaller network must answer as the masked one


@dataclass(frozen=True, kw_only=True)
class Prune(Step):
    """Take out the least important hidden units and channels, then train what is left for a while.

    Every tensor really becomes smaller. A unit's importance is the L2 norm of its incoming weights
    times that of its outgoing weights; the same share goes in each layer, and at least one unit stays.
    Before the recovery the smaller network is compared on random inputs with the large one whose
    pruned units are silenced; unless both answer alike, the step fails. Units behind a group
    normalisation go by whole groups; of a residual block only the inner channels go, because what it
    adds to must keep its width. Layer normalisation, attention and unknown layers are refused.

    Attributes:
        share: How many of each layer's units go; 0 leaves the model as it is.
        epochs: Passes over the training split afterwards; with 0 no data is read.
        size: Examples per batch.
        optimizer: How weights move.
    """

    share: Share = 0.5
    epochs: Natural = 10
    size: Count = 64
    optimizer: Optimizer = AdamW()

    def claim(self, n_examples: int) -> Claim:
        """Say that only the recovery reads data."""
        return Claim(reads_data=self._recovers)

    def __call__(self, model: Model, seen: Seen, *, rng: Generator) -> HasNet:
        """Return the smaller model.

        Raises:
            NotMeasurable: The model is a black box, or its network has a part that cannot be pruned.
        """
        model = with_net(model, self)
        if self.share == 0:
            return model
        x = random_inputs(model.schema, N_CHECKED, spawn(rng)).to(device_of(model.net))
        net = pruned(model.net, self.share, x)
        if self._recovers:
            batches = shuffled(seen.train, self.size, self.epochs, rng)
            fit(net, batches, loss_of(model.task), optimizer=self.optimizer)
        return _described(model.with_net(net), self.share)

    @property
    def _recovers(self) -> bool:
        return self.share > 0 and self.epochs > 0


def random_inputs(schema: Schema, n: int, rng: Generator) -> Float[Tensor, "batch ..."]:
    """Return inputs that `schema` allows, drawn without looking at any data."""
    if not schema.is_table:
        return torch.rand(n, *schema.shape, generator=rng)
    return torch.stack([_values(column, n, rng) for column in schema.columns], dim=1)


def _values(column: Column, n: int, rng: Generator) -> Float[Tensor, " batch"]:
    if column.is_category:
        return torch.randint(len(column.categories), (n,), generator=rng).float()
    drawn = column.center + column.scale * torch.randn(n, generator=rng)
    low = -torch.inf if column.low is None else column.low
    return drawn.clamp(low, torch.inf if column.high is None else column.high)


def _described(model: HasNet, share: float) -> HasNet:
    """Let the architecture tell the new widths if it can, so that others like it are built as small."""
    if not isinstance(model, TorchModel):
        return model
    try:
        told = narrower(model.architecture, share)
        twin = told.build(model.schema, model.task, Generator())
    except (BadInput, ValueError):  # it has no width, or not every width
        return model
    is_twin = _shapes(twin) == _shapes(model.net)
    return replace(model, architecture=told) if is_twin else model


def _shapes(net: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
