"""The convnet on digits that every side serves, as plain weights that need no Fivefold to load.

Run as a script by peers: no import of fivefold in it.
"""

from pathlib import Path

import torch
from torch import nn


class Scale(nn.Module):
    """Move pixels of [0, 1] to [-1, 1], as the preparation of Fivefold's own network does."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2 - 1


def network(width: int = 16, hidden: int = 64) -> nn.Sequential:
    """Return the layers of `models.ConvNet` for digits, with the names of its weights."""
    from collections import OrderedDict

    body: list[nn.Module] = []
    channels, side = 1, 8
    for stage in range(3):
        out = width * 2**stage
        body += [nn.Conv2d(channels, out, 3, padding=1), nn.ReLU()]
        channels = out
        if side >= 4:
            body.append(nn.MaxPool2d(2))
            side //= 2
    body += [nn.Flatten(), nn.Linear(channels * side * side, hidden), nn.ReLU()]
    return nn.Sequential(
        OrderedDict(prepare=Scale(), body=nn.Sequential(*body), head=nn.Linear(hidden, 10))
    )


def load(folder: Path) -> nn.Sequential:
    """Return the trained network."""
    from safetensors.torch import load_file

    net = network()
    net.load_state_dict(load_file(folder / "model.safetensors"), strict=True)
    return net.eval()


def answer(net: nn.Module, told: dict) -> dict:
    """Answer a request of the protocol in the plainest way."""
    one = told["inputs"][0]
    x = torch.tensor(one["data"], dtype=torch.float32).view(one["shape"])
    return {"outputs": [{"name": "probabilities", "data": batch(net, x).flatten().tolist()}]}


@torch.inference_mode()
def batch(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return net(x).softmax(1)
