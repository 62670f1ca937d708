"""Run by `test_workers.py` with an interpreter that has ray: workers and block sizes change nothing."""

import sys
from importlib import import_module
from typing import Any

import torch
from torch import Generator, Tensor

from fivefold.core.data import Batch, Dataset, Seen, Splits
from fivefold.core.errors import BadInput
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.explanation import LeverageSHAP
from fivefold.explanation.scale import Scale, explain_all
from fivefold.models import MLP, TorchModel, fresh

ray: Any = import_module("ray")  # not in the environment of the other tests


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def values(model: TorchModel, x: Tensor, background: Tensor, scale: Scale) -> Tensor:
    method = LeverageSHAP(budget=40, draws=2)
    found = explain_all(model, x, background, method, rng=seeded(3), scale=scale)
    return torch.cat([f.values for f in found])


def main() -> None:
    x = torch.randn(60, 6, generator=seeded())
    batch = Batch(x, (x[:, 0] > 0).long())
    schema = Schema(columns=tuple(Column(name=f"c{i}") for i in range(6)), shape=(6,))
    data = Dataset(
        "points", Splits(Seen(batch, batch), batch), schema, Task(classes=("a", "b")), ""
    )
    model = fresh(MLP(hidden=(8,)), data, seeded())
    alone = values(model, x[:23], x[:12], Scale(size=5))
    for workers, size in ((1, 5), (2, 5), (2, 9)):
        spread = values(model, x[:23], x[:12], Scale(size=size, workers=workers, backend="ray"))
        assert torch.allclose(alone, spread, atol=1e-6), (workers, size)
        assert not ray.is_initialized()
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    spread = values(model, x[:23], x[:12], Scale(size=5, backend="ray"))
    assert torch.allclose(alone, spread, atol=1e-6)
    assert ray.is_initialized()  # it was running before, and runs still
    try:
        values(model, torch.full((3, 6), torch.nan), x[:12], Scale(size=2, backend="ray"))
    except BadInput as error:
        assert "missing or infinite" in str(error)
    ray.shutdown()
    sys.stdout.write("the same\n")


if __name__ == "__main__":
    main()
