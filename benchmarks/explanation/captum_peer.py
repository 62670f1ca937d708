"""The other side of `integrated_gradients.py`: captum in an environment and a process of its own."""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from captum.attr import IntegratedGradients
from safetensors.torch import load_file
from torch import Tensor, nn


def network(told: list[list], weights: dict[str, Tensor]) -> nn.Module:
    made: list[nn.Module] = []
    n = 0
    for kind, *sizes in told:
        layer = {
            "linear": lambda a, b: nn.Linear(a, b),
            "conv": lambda a, b: nn.Conv2d(a, b, 3, padding=1),
            "relu": nn.ReLU,
            "pool": lambda: nn.MaxPool2d(2),
            "flatten": nn.Flatten,
        }[kind](*sizes)
        if kind in ("linear", "conv"):
            layer.load_state_dict({k: weights[f"{n}.{k}"] for k in ("weight", "bias")})
            n += 1
        made.append(layer)
    return nn.Sequential(*made)


class LogOdds(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        logits = self.net(x).double()
        everything = torch.eye(logits.shape[1], dtype=torch.bool)
        others = logits[:, None].expand(-1, logits.shape[1], -1).masked_fill(everything, -torch.inf)
        return logits - others.logsumexp(2)


def main() -> None:
    folder = Path(sys.argv[1])
    asked = json.loads((folder / "asked.json").read_text())
    net = LogOdds(network(asked["layers"], load_file(folder / "weights.safetensors")))
    ends = load_file(folder / "ends.safetensors")
    with torch.no_grad():
        score, base = net(ends["x"]), net(ends["start"])
    output = score.argmax(1)
    rise = (score - base).gather(1, output[:, None])[:, 0]
    explainer = IntegratedGradients(net)
    values, gaps = [], []
    for steps in asked["steps"]:
        found = explainer.attribute(
            ends["x"], ends["start"], target=output, n_steps=steps, internal_batch_size=4096
        )
        found = found.detach().double()
        if found.ndim == 4:
            found = found.sum(1)  # one channel
        values.append(found.flatten(1).numpy())
        gaps.append(((rise - found.flatten(1).sum(1)).abs() / rise.abs().clamp(min=1)).numpy())
    np.savez(
        folder / "found.npz", output=output.numpy(), values=np.stack(values), gaps=np.stack(gaps),
        version=version("captum"),
    )  # fmt: skip


if __name__ == "__main__":
    main()
