"""The other side of `dp_step.py` and `sampling.py`: Opacus in an environment and a process of its own.

It answers one line of JSON for each line it is given, so that both sides can take turns.
"""

import json
import resource
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import torch
from networks import built
from safetensors.torch import save_file
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

warnings.filterwarnings("ignore")

from opacus import PrivacyEngine  # noqa: E402
from opacus.utils.uniform_sampler import UniformWithReplacementSampler  # noqa: E402

Step = Callable[[], dict[str, torch.Tensor]]


def private(name: str, mode: str, noise: float) -> Step:
    """Return a step of DP-SGD that tells its gradient."""
    net, x, y = built(name)
    weights = [p for p in net.parameters() if p.requires_grad]
    given: dict[str, Any] = {
        "module": net, "optimizer": torch.optim.SGD(weights, lr=1e-3), "criterion": nn.CrossEntropyLoss(),
        "data_loader": DataLoader(TensorDataset(x, y), batch_size=len(x)), "noise_multiplier": noise,
        "max_grad_norm": 1.0, "poisson_sampling": False, "grad_sample_mode": mode,
    }  # fmt: skip
    made = PrivacyEngine(accountant="rdp").make_private(**given)
    net, optimizer = made[0], made[1]
    loss = made[2] if mode == "ghost" else nn.CrossEntropyLoss()

    def step() -> dict[str, torch.Tensor]:
        optimizer.zero_grad()
        loss(net(x), y).backward()
        optimizer.step()
        named = net.named_parameters()
        return {n.removeprefix("_module."): p.grad for n, p in named if p.requires_grad}

    return step


def answer(asked: dict[str, Any], steps: dict[str, Step]) -> dict[str, Any]:
    kind = asked["do"]
    if kind == "make":
        steps[asked["mode"]] = private(asked["case"], asked["mode"], 1.0)
        return {"version": version("opacus")}
    if kind == "sum":
        n = built(asked["case"])[1].shape[0]
        found = private(asked["case"], asked["mode"], 0.0)()
        save_file({k: (v * n).contiguous() for k, v in found.items()}, asked["file"])
        return {}
    if kind == "time":
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(asked["n"]):
            steps[asked["mode"]]()
        return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    if kind == "sample":
        sampler = UniformWithReplacementSampler(
            num_samples=asked["n"], sample_rate=asked["size"] / asked["n"], steps=asked["steps"]
        )
        cpu = time.process_time()
        sizes = [len(rows) for rows in sampler]
        return {"cpu": time.process_time() - cpu, "mean": sum(sizes) / len(sizes), "version": version("opacus")}  # fmt: skip
    return {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def main() -> None:
    torch.set_num_threads(1)
    steps: dict[str, Step] = {}
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line), steps)), flush=True)


if __name__ == "__main__":
    main()
