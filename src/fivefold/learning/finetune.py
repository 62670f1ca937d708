"""Train every weight that is not frozen, from scratch or from what is there."""

from copy import deepcopy
from dataclasses import dataclass

from torch import Generator

from fivefold.core.data import Seen, shuffled
from fivefold.core.loss import loss_of
from fivefold.core.model import Model, with_net
from fivefold.core.step import Step
from fivefold.training.fit import fit
from fivefold.training.optimizer import AdamW, Optimizer


@dataclass(frozen=True, kw_only=True)
class Finetune(Step):
    """Supervised training.

    Attributes:
        epochs: Passes over the training split.
        size: Examples per batch.
        optimizer: How weights move.
    """

    epochs: int = 20
    size: int = 64
    optimizer: Optimizer = AdamW()

    def __call__(self, model: Model, seen: Seen, *, rng: Generator) -> Model:
        """Return the trained model."""
        model = with_net(model, self)
        net = deepcopy(model.net)
        batches = shuffled(seen.train, self.size, self.epochs, rng)
        fit(net, batches, loss_of(model.task), optimizer=self.optimizer)
        return model.with_net(net)
