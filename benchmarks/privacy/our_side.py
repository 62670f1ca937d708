"""Our side of `dp_step.py`, and plain training, in a process of their own."""

import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from networks import built

from fivefold.core.data import Batch
from fivefold.core.loss import cross_entropy
from fivefold.training.gradient import mean
from fivefold.training.private.clipping import Flat
from fivefold.training.private.engine import Engine
from fivefold.training.private_gradient import ClippedNoisy

Step = Callable[[], object]
WARM = 5  # steps before anything is timed
BETWEEN = (
    10**6
)  # a batch after which no check comes for a long time: 2, and the powers of 4, are checked


def step_of(case: str, mode: str) -> Step:
    net, x, y = built(case)
    batch = Batch(x, y)
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=1e-3)
    rule = mean if mode == "plain" else ClippedNoisy(
        clip_norm=1.0, noise_multiplier=0.0 if mode == "quiet" else 1.0, expected_size=len(y),
        noise=torch.Generator(), engine=Engine(method="together"),
    )  # fmt: skip

    def step() -> object:
        optimizer.zero_grad()
        rule(net, batch, cross_entropy)
        return optimizer.step()

    for _ in range(WARM):
        step()
    if isinstance(rule, ClippedNoisy):
        rule.engine.n_batches = BETWEEN
    return step


def answer(asked: dict[str, Any], steps: dict[str, Step]) -> dict[str, Any]:
    if asked["do"] == "make":
        steps[asked["mode"]] = step_of(asked["case"], asked["mode"])
        return {}
    if asked["do"] == "sum":
        from safetensors.torch import save_file

        net, x, y = built(asked["case"])
        found = Engine(method="together").total(net, Batch(x, y), cross_entropy, Flat(), 1.0)
        save_file({k: v.contiguous() for k, v in found.items()}, asked["file"])
        return {}
    if asked["do"] == "time":
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(asked["n"]):
            steps[asked["mode"]]()
        return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    return {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def main() -> None:
    torch.set_num_threads(1)
    steps: dict[str, Step] = {}
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line), steps)), flush=True)


if __name__ == "__main__":
    main()
