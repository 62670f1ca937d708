"""The other side of `faithfulness.py`: quantus in an environment and a process of its own."""

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import quantus
import torch
from quantus.helpers.model.pytorch_model import PyTorchModel
from safetensors.torch import load_file
from torch import Tensor, nn


class Shift(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2 - 1


def network(told: list[list], weights: dict[str, Tensor]) -> nn.Module:
    made: list[nn.Module] = []
    for kind, *sizes in told:
        made.append({
            "linear": lambda a, b: nn.Linear(a, b),
            "conv": lambda a, b: nn.Conv2d(a, b, 3, padding=1),
            "relu": nn.ReLU,
            "pool": lambda: nn.MaxPool2d(2),
            "flatten": nn.Flatten,
            "shift": Shift,
        }[kind](*sizes))  # fmt: skip
    net = nn.Sequential(*made)
    fill(net, weights)
    return net.eval().to(memory_format=torch.channels_last)


def fill(net: nn.Module, weights: dict[str, Tensor]) -> None:
    layers = [m for m in net.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    for i, layer in enumerate(layers):
        layer.load_state_dict({k: weights[f"{i}.{k}"] for k in ("weight", "bias")})


def redrawn(model: PyTorchModel, order: str, seed: int) -> Iterator[tuple[str, nn.Module]]:
    """Yield layers drawn anew as the other side drew them, so that the numbers must be the same."""
    for i, weights in enumerate(STAGES):
        fill(model.model, weights)
        yield str(i), model.model


STAGES: list[dict[str, Tensor]] = []
PyTorchModel.get_random_layer_generator = redrawn
PyTorchModel.random_layer_generator_length = property(lambda _: len(STAGES))


def gradient(model: nn.Module, inputs: np.ndarray, targets: np.ndarray, **_: Any) -> np.ndarray:
    x = torch.as_tensor(inputs, dtype=torch.float32).requires_grad_()
    picked = model(x).gather(1, torch.as_tensor(targets)[:, None]).sum()
    return torch.autograd.grad(picked, x)[0].numpy()


def timed(work: Callable[[], Any], repeats: int) -> tuple[Any, float]:
    found, seconds = None, []
    for _ in range(repeats):
        np.random.seed(0)  # noqa: NPY002 - quantus draws from the global state
        start = time.process_time()
        found = work()
        seconds.append(time.process_time() - start)
    return found, statistics.median(seconds)


def main() -> None:
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    asked = json.loads((folder / "asked.json").read_text())
    net = network(asked["layers"], load_file(folder / "weights.safetensors"))
    given = load_file(folder / "given.safetensors")
    x, y = given["x"].numpy(), given["target"].numpy()
    values = given["values"].numpy()
    STAGES.extend(load_file(f) for f in sorted(folder.glob("stage*.safetensors")))
    quiet: dict[str, Any] = {"disable_warnings": True, "normalise": False, "abs": False}
    hides: dict[str, Any] = {"perturb_baseline": 0.0, **quiet}
    call: dict[str, Any] = {"y_batch": y, "channel_first": True, "batch_size": len(x)}

    def randomised() -> Any:
        weights = load_file(folder / "weights.safetensors")
        metric = quantus.MPRT(layer_order="top_down", return_average_correlation=False, **quiet)
        found = metric(model=net, x_batch=x, a_batch=values, explain_func=gradient, **call)
        fill(net, weights)
        return np.array([found[str(i)] for i in range(len(STAGES))])

    works: dict[str, Callable[[], Any]] = {
        "pixel flipping": lambda: quantus.PixelFlipping(features_in_step=1, **hides)(
            model=net, x_batch=x, a_batch=values, softmax=True, **call
        ),
        "faithfulness correlation": lambda: quantus.FaithfulnessCorrelation(
            nr_runs=asked["runs"], subset_size=asked["size"], return_aggregate=False, **hides
        )(model=net, x_batch=x, a_batch=values, softmax=True, **call),
        "infidelity": lambda: quantus.Infidelity(
            perturb_patch_sizes=[1], n_perturb_samples=1, **hides
        )(model=net, x_batch=x, a_batch=values, softmax=True, **call),
        "max-sensitivity": lambda: quantus.MaxSensitivity(
            nr_samples=asked["samples"], lower_bound=asked["eps"], **quiet
        )(model=net, x_batch=x, a_batch=values, explain_func=gradient, **call),
        "parameter randomisation": randomised,
    }  # fmt: skip
    found: dict[str, Any] = {"version": version("quantus")}
    for name, work in works.items():
        answer, seconds = timed(work, asked["repeats"])
        found[name], found[f"seconds of {name}"] = np.asarray(answer), seconds
    np.savez(folder / "found.npz", **found)


if __name__ == "__main__":
    main()
