"""Train every weight that is not frozen, from scratch or from what is there."""

from copy import deepcopy
from dataclasses import dataclass

from torch import Generator

from fivefold.core.data import Seen, shuffled
from fivefold.core.errors import BadInput
from fivefold.core.limits import Count, Probability
from fivefold.core.loss import loss_of
from fivefold.core.model import Model, with_net
from fivefold.core.step import Step
from fivefold.training.average import Ema
from fivefold.training.fit import fit
from fivefold.training.optimizer import AdamW, Optimizer
from fivefold.training.stop import EarlyStop


@dataclass(frozen=True, kw_only=True)
class Finetune(Step):
    """Supervised training.

    Attributes:
        epochs: Passes over the training split.
        size: Examples per batch.
        optimizer: How weights move.
        average: Decay per batch of a moving average of the weights, which is then the result; None for
            the last weights.
        patience: Epochs without a better validation loss before training ends with the best weights;
            None for all epochs.
    """

    epochs: Count = 20
    size: Count = 64
    optimizer: Optimizer = AdamW()
    average: Probability | None = None
    patience: Count | None = None

    def __call__(self, model: Model, seen: Seen, *, rng: Generator) -> Model:
        """Return the trained model.

        Raises:
            NotMeasurable: The model is a black box.
            BadInput: There is nothing to train on, or training leaves the finite numbers.
        """
        model = with_net(model, self)
        if not seen.train.size:
            raise BadInput(
                "There are no training examples.", mend="Add rows to the training split."
            )
        net = deepcopy(model.net)
        fit(
            net,
            shuffled(seen.train, self.size, self.epochs, rng),
            loss_of(model.task),
            optimizer=self.optimizer,
            average=None if self.average is None else Ema(decay=self.average),
            stop=self._stop(seen),
        )
        return model.with_net(net)

    def _stop(self, seen: Seen) -> EarlyStop | None:
        if self.patience is None:
            return None
        per_epoch = -(-seen.train.size // self.size)
        return EarlyStop(valid=seen.valid, every=per_epoch, patience=self.patience)
