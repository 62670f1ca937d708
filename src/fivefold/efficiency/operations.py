"""How much arithmetic one prediction takes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor, nn

from fivefold.core.chart import Chart
from fivefold.core.data import Inputs, Splits, to_device
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Axis, Evidence, Finding
from fivefold.core.model import Model
from fivefold.core.probe import Probe
from fivefold.core.text import text
from fivefold.efficiency.timing import inputs_of
from fivefold.efficiency.weights import open_net
from fivefold.models.int8 import Int8Linear
from fivefold.models.torch import device_of

FREE = (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm)  # next to nothing


@dataclass(frozen=True, kw_only=True)
class Operations(Probe):
    """Multiply-adds of one prediction, in linear layers and convolutions, float and int8 alike.

    Exact for these; activations, pooling and normalisation are left out, as is usual.
    """

    axis: ClassVar[Axis] = Axis.EFFICIENCY

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Count over one test example.

        Raises:
            NotMeasurable: The model is a black box or has layers whose work is not known.
        """
        net = open_net(model, self)
        counts = multiply_adds(net, to_device(inputs_of(splits, 1), device_of(net)))
        value = float(sum(counts.values()))
        rows = tuple({"layer": n, "multiply-adds": c} for n, c in counts.items())
        chart = Chart(
            title=text("Multiply-adds of each layer"),
            kind="bar",
            x="layer",
            y="multiply-adds",
            rows=rows,
        )
        return [
            Evidence(
                axis=self.axis,
                name="operations",
                value=value,
                low=value,
                high=value,
                n=1,
                unit="multiply-adds",
                better="lower",
                setting="1 prediction",
                interval="exact",
                chart=chart if rows else None,
            )
        ]


@torch.no_grad()
def multiply_adds(net: nn.Module, x: Inputs) -> dict[str, int]:
    """Return the multiply-adds of each layer while `net` reads `x`.

    Raises:
        NotMeasurable: A layer's work is not known.
    """
    counts: dict[str, int] = {}

    def counting(name: str, per_output: int) -> Callable[[nn.Module, object, Tensor], None]:
        def hook(layer: nn.Module, given: object, output: Tensor) -> None:
            counts[name] = counts.get(name, 0) + output.numel() * per_output

        return hook

    known = {name: _per_output(layer) for name, layer in net.named_modules()}
    hooks = [
        net.get_submodule(name).register_forward_hook(counting(name, n))
        for name, n in known.items()
        if n
    ]
    try:
        net(x)
    finally:
        for hook in hooks:
            hook.remove()
    return counts


def _per_output(layer: nn.Module) -> int:
    """Return the multiply-adds of one number that `layer` itself puts out."""
    if isinstance(layer, nn.Linear | nn.Conv2d | Int8Linear):
        return layer.weight[0].numel()
    if next(layer.parameters(recurse=False), None) is None or isinstance(layer, FREE):
        return 0
    raise NotMeasurable(
        "Nobody has said how much arithmetic a {layer} takes.",
        mend="Operations counts linear layers and convolutions; use efficiency.Latency instead.",
        layer=type(layer).__name__,
    )
