"""What a model weighs."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Generator, nn

from fivefold.core.chart import Chart
from fivefold.core.data import Splits
from fivefold.core.evidence import Axis, Evidence, Finding
from fivefold.core.model import Model
from fivefold.core.probe import Probe
from fivefold.core.text import text
from fivefold.efficiency.weights import open_net
from fivefold.models.int8 import Int8Linear

MOST_LAYERS = 40  # bars that fit into one picture


@dataclass(frozen=True, kw_only=True)
class Size(Probe):
    """How many parameters a network has, how many bytes its tensors take on disk, how many of them are int8.

    Everything is counted, so the bounds are the value. Bytes include what is saved beside the
    parameters: scales of preparation, statistics of normalisation.
    """

    axis: ClassVar[Axis] = Axis.EFFICIENCY

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Count.

        Raises:
            NotMeasurable: The model is a black box.
        """
        net = open_net(model, self)
        tensors = net.state_dict().values()
        total = sum(t.nbytes for t in tensors)
        small = sum(t.nbytes for t in tensors if t.dtype == torch.int8)
        return [
            self._exact("parameters", n_parameters(net), "parameters", "lower"),
            self._exact("saved_bytes", total, "bytes", "lower", chart=_by_layer(net)),
            self._exact("int8_share", small / max(total, 1), "fraction", "higher"),
        ]

    def _exact(
        self,
        name: str,
        value: float,
        unit: str,
        better: Literal["higher", "lower"],
        chart: Chart | None = None,
    ) -> Evidence:
        return Evidence(
            axis=self.axis,
            name=name,
            value=value,
            low=value,
            high=value,
            n=1,
            unit=unit,
            better=better,
            ceiling=1.0 if unit == "fraction" else None,
            interval="exact",
            chart=chart,
        )


def n_parameters(net: nn.Module) -> int:
    """Return the number of weights and biases, int8 ones included."""
    layers = [m for m in net.modules() if isinstance(m, Int8Linear)]
    held = [t for m in layers for t in (m.weight, m.bias) if t is not None]
    return sum(t.numel() for t in (*net.parameters(), *held))


def _by_layer(net: nn.Module) -> Chart | None:
    sizes: dict[str, int] = {}
    for name, tensor in net.state_dict().items():
        layer = name.rpartition(".")[0] or name
        sizes[layer] = sizes.get(layer, 0) + tensor.nbytes
    if not sizes:
        return None
    largest = sorted(sizes, key=lambda layer: -sizes[layer])[:MOST_LAYERS]
    rows = tuple({"layer": n, "bytes": s} for n, s in sizes.items() if n in largest)
    return Chart(title=text("Bytes of each layer"), kind="bar", x="layer", y="bytes", rows=rows)
