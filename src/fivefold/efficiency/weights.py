"""The open network of a model, for probes that count."""

from torch import nn

from fivefold.core.errors import NotMeasurable
from fivefold.core.model import HasNet, Model


def open_net(model: Model, wanted_by: object) -> nn.Module:
    """Return the network of `model`.

    Raises:
        NotMeasurable: It is a black box.
    """
    if isinstance(model, HasNet):
        return model.net
    raise NotMeasurable(
        "{probe} counts weights, and a {model} does not show them.",
        mend="Distil it into a network first (efficiency.Distill).",
        probe=type(wanted_by).__name__,
        model=type(model).__name__,
    )
