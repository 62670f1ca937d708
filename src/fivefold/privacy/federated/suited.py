"""Which networks clients can train apart from one another."""

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import nn

from fivefold.core.errors import BadInput

DROPOUTS = (
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.AlphaDropout,
    nn.FeatureAlphaDropout,
)
MIXERS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def check_suited(net: nn.Module) -> None:
    """Check that a step of a client depends on its rows and weights alone.

    Raises:
        BadInput: Nothing can be trained, or a layer keeps statistics or draws random numbers.
    """
    if not any(w.requires_grad for w in net.parameters()):
        raise BadInput("No weight of this network can be trained.", mend="Unfreeze some of them.")
    for name, layer in net.named_modules():
        kind = type(layer).__name__
        if getattr(layer, "track_running_stats", False):
            raise BadInput(
                "{layer} keeps statistics of its inputs, which no update of the weights carries.",
                where=name,
                mend="Use GroupNorm or LayerNorm instead.",
                layer=kind,
            )
        if isinstance(layer, MIXERS):
            raise BadInput(
                "{layer} mixes the examples of a batch, so the padding of short batches would change it.",
                where=name,
                mend="Use GroupNorm or LayerNorm instead.",
                layer=kind,
            )
        if _draws(layer):
            raise BadInput(
                "{layer} draws random numbers, so clients trained together would differ from clients apart.",
                where=name,
                mend="Set its dropout to 0.",
                layer=kind,
            )


def check_still(before: nn.Module, after: nn.Module) -> None:
    """Check that training has moved no buffer, which the server would never see.

    Raises:
        BadInput: It has.
    """
    old = dict(before.named_buffers())
    for name, buffer in after.named_buffers():
        if not torch.equal(buffer, old[name]):
            raise BadInput(
                "{layer} keeps statistics of its inputs, which no update of the weights carries.",
                where=name,
                mend="Use GroupNorm or LayerNorm instead.",
                layer=name,
            )


@contextmanager
def drawing_nothing(net: nn.Module) -> Generator[None]:
    """Refuse `net` if running it inside the block draws from torch's own generator.

    Raises:
        BadInput: It does.
    """
    before = torch.random.get_rng_state()
    yield
    if not torch.equal(torch.random.get_rng_state(), before):
        torch.random.set_rng_state(before)
        raise BadInput(
            "{layer} draws random numbers, so clients trained together would differ from clients apart.",
            mend="Set its dropout to 0.",
            layer=type(net).__name__,
        )


def _draws(layer: nn.Module) -> bool:
    if isinstance(layer, DROPOUTS):
        return layer.p > 0
    rate = getattr(layer, "dropout", 0.0)
    return isinstance(rate, float) and rate > 0
