"""Several views of each example, or several examples of each user, averaged before clipping (De et al., 2022).

What is averaged has one gradient, the mean, so looking at it often costs no privacy.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from fivefold.core.data import Batch, Inputs
from fivefold.core.loss import Forward, Loss


def over_views(loss: Loss) -> Loss:
    """Return a loss of batches whose inputs are `(batch, view, ...)`: the mean over an example's views.

    Targets are `(batch,)`, or `(batch, view)` where the views are examples of their own.
    """
    return partial(_averaged, loss)


def stacked(batch: Batch, copies: int, change: Callable[[Any], Any]) -> Batch:
    """Return `batch` with `copies` views of each example, each made by a call of `change`.

    Where it has several examples of each user, the views of all of them stand side by side.
    """
    if batch.y.dim() == 1:
        views = [change(batch.x) for _ in range(copies)]
        return Batch(_each(views, partial(torch.stack, dim=1)), batch.y)
    flat = Batch(_each([batch.x], lambda x: x[0].flatten(0, 1)), batch.y.flatten())
    made = stacked(flat, copies, change).x
    shape = (*batch.y.shape, copies)
    x = _each([made], lambda x: x[0].reshape(shape[0], shape[1] * copies, *x[0].shape[2:]))
    return Batch(x, batch.y.repeat_interleave(copies, 1))


def _averaged(loss: Loss, forward: Forward, batch: Batch) -> Tensor:
    first = batch.x if isinstance(batch.x, Tensor) else next(iter(batch.x.values()))
    flat = _each([batch.x], lambda x: x[0].flatten(0, 1))
    is_shared = batch.y.dim() == 1
    y = batch.y.repeat_interleave(first.shape[1], 0) if is_shared else batch.y.flatten()
    losses = loss(forward, Batch(flat, y))
    return losses.unflatten(0, first.shape[:2]).mean(1)


def _each(views: list[Inputs], join: Callable[[list[Tensor]], Tensor]) -> Inputs:
    """Return `join` of the tensors at the same place of all `views`."""
    if isinstance(views[0], Mapping):
        return {k: join([v[k] for v in views if isinstance(v, Mapping)]) for k in views[0]}
    return join([v for v in views if isinstance(v, Tensor)])
