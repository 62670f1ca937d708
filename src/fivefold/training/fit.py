"""The training loop. There is one."""

from torch import nn

from fivefold.core import progress
from fivefold.core.data import Draws
from fivefold.core.loss import Loss
from fivefold.training import gradient as gradients
from fivefold.training.gradient import Gradient
from fivefold.training.optimizer import AdamW, Optimizer


def fit(
    net: nn.Module,
    batches: Draws,
    loss: Loss,
    *,
    gradient: Gradient = gradients.mean,
    optimizer: Optimizer = AdamW(),
) -> None:
    """Train what is trainable in `net`, in place.

    Every training method of the toolkit is a choice of batches, loss and gradient.
    """
    device = next(net.parameters()).device
    stepper = optimizer.over([p for p in net.parameters() if p.requires_grad])
    net.train()
    for i, batch in enumerate(progress.track(batches, "training")):
        stepper.zero_grad()
        value = gradient(net, batch.to(device), loss)
        stepper.step()
        if progress.is_heard():
            progress.scalar("loss", float(value), i)
    stepper.zero_grad()
    net.eval()
