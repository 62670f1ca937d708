"""The training loop. There is one."""

from torch import nn

from fivefold.core import progress
from fivefold.core.data import Batch, Draws
from fivefold.core.errors import BadInput
from fivefold.core.loss import Loss
from fivefold.training import checkpoint
from fivefold.training import gradient as gradients
from fivefold.training.average import Average
from fivefold.training.gradient import Gradient, not_finite
from fivefold.training.optimizer import AdamW, Optimizer
from fivefold.training.state import State, weights_of
from fivefold.training.stop import EarlyStop


def fit(
    net: nn.Module,
    batches: Draws,
    loss: Loss,
    *,
    gradient: Gradient = gradients.mean,
    optimizer: Optimizer = AdamW(),
    average: Average | None = None,
    stop: EarlyStop | None = None,
) -> None:
    """Train what is trainable in `net`, in place, where it lies, and leave it ready to predict.

    Every training method of the toolkit is a choice of batches, loss and gradient. Inside
    `checkpoint.keeping` an interrupted call goes on where it was, with the same bits.

    Args:
        net: The network. If the call fails, its weights are worthless.
        batches: What is read, in order.
        loss: One number per example.
        gradient: Turns the losses of a batch into gradients.
        optimizer: How weights move, and how fast over time.
        average: What mean of the weights to return instead of the last; None for the last.
        stop: When to end early, returning the best weights; None to read all batches.

    Raises:
        BadInput: Loss or weights are no longer finite, or a layer or loss cannot be used with `gradient`.
    """
    state = State.start(net, optimizer, average)
    slot = checkpoint.slot(batches)
    slot.restore(state)
    net.train()
    slot.settle(state)
    left = [] if state.is_done else batches.starting_at(state.index)
    with slot.interruptible(state):
        for batch in progress.track(left, "training", len(batches) - state.index):
            _set_rate(state, optimizer, len(batches))
            _point(state, batch, loss, gradient, len(batches))
            slot.unsettle()
            state.stepper.step()
            if average is not None and state.mean is not None:
                average.update(state.mean, weights_of(net), state.index)
            state.index += 1
            if stop is not None and _is_over(state, stop, loss, len(batches)):
                break
            slot.keep_if_due(state)
            slot.settle(state)
    if not state.is_done:
        state.end()
        slot.keep_if_due(state)
    state.stepper.zero_grad()
    _check(net)
    net.eval()


def _set_rate(state: State, optimizer: Optimizer, n_batches: int) -> None:
    factor = optimizer.schedule.factor(state.index, n_batches)
    for group in state.stepper.param_groups:
        group["lr"] = group["initial_lr"] * factor


def _point(state: State, batch: Batch, loss: Loss, gradient: Gradient, n_batches: int) -> None:
    """Find where the weights must move; they do not move yet."""
    state.stepper.zero_grad()
    device = next(state.net.parameters()).device
    try:
        value = gradient(state.net, batch.to(device), loss)
    except BadInput as error:
        raise error if error.where else error.at(f"{state.index + 1} / {n_batches}") from None
    if progress.is_heard():
        progress.scalar("loss", float(value), state.index)


def _is_over(state: State, stop: EarlyStop, loss: Loss, n_batches: int) -> bool:
    if state.index % stop.every and state.index < n_batches:
        return False
    state.judge(stop.measure(state.net, state.result(), loss))
    return state.waited >= stop.patience


def _check(net: nn.Module) -> None:
    if not all(bool(w.isfinite().all()) for w in net.parameters()):
        raise not_finite()
