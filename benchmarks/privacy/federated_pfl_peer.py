"""The other side of `federated_peers.py`: the same clients, cohorts and batches in pfl-research.

Run in `.peers/pfl`. It reads a folder and answers each line with the CPU seconds of its rounds after warm-up.
"""

import json
import sys
import time
from contextlib import redirect_stdout
from functools import partial
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from pfl.aggregate.simulate import SimulatedBackend
from pfl.algorithm.base import NNAlgorithmParams
from pfl.algorithm.federated_averaging import FederatedAveraging
from pfl.callback.base import TrainingProcessCallback
from pfl.data.dataset import Dataset
from pfl.data.federated_dataset import FederatedDataset
from pfl.hyperparam.base import NNTrainHyperParams
from pfl.metrics import Metrics
from pfl.model.pytorch import PyTorchModel
from safetensors.torch import load_file, save_file
from torch import Tensor, nn


class Net(nn.Module):
    """A chain of linear layers with the loss that pfl asks for."""

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        layers = [m for a, b in pairwise(widths) for m in (nn.Linear(a, b), nn.ReLU())]
        self.chain = nn.Sequential(*layers[:-1])

    def loss(self, x: Tensor, y: Tensor, eval: bool = False) -> Tensor:
        return F.cross_entropy(self.chain(x), y)

    def metrics(self, x: Tensor, y: Tensor, eval: bool = False) -> dict[str, Any]:
        return {}


class Clock(TrainingProcessCallback):
    """Notes the CPU and wall time at the end of each round."""

    def __init__(self) -> None:
        self.cpu: list[float] = []
        self.wall: list[float] = []

    def after_central_iteration(
        self, aggregate_metrics: Metrics, model: Any, *, central_iteration: int
    ) -> tuple[bool, Metrics]:
        self.cpu.append(time.process_time())
        self.wall.append(time.perf_counter())
        return False, Metrics()


def done(folder: Path, widths: list[int], n_rounds: int, lr: float, batch: int) -> dict[str, Any]:
    """Run all rounds; the users come in the order in which they lie in the file."""
    told = load_file(folder / "work.safetensors")
    rows, cohort = told["rows"], told["rows"].shape[1]
    users = [
        Dataset([told["x"][r], told["y"][r]], train_kwargs={"eval": False})
        for r in rows.flatten(0, 1)
    ]
    order = iter(range(len(users)))
    net = Net(widths)
    net.load_state_dict({k[4:]: v for k, v in told.items() if k.startswith("net.")})
    model = PyTorchModel(net, partial(torch.optim.SGD), torch.optim.SGD(net.parameters(), lr=1.0))
    clock = Clock()
    FederatedAveraging().run(
        algorithm_params=NNAlgorithmParams(
            central_num_iterations=n_rounds, evaluation_frequency=10**6,
            train_cohort_size=cohort, val_cohort_size=0,
        ),
        backend=SimulatedBackend(
            training_data=FederatedDataset(lambda i: users[i], lambda: next(order)), val_data=None
        ),
        model=model,
        model_train_params=NNTrainHyperParams(
            local_learning_rate=lr, local_num_epochs=1, local_batch_size=batch
        ),
        model_eval_params=None,
        callbacks=[clock],
    )  # fmt: skip
    save_file(dict(net.state_dict()), folder / "pfl.safetensors")
    return {"cpu": clock.cpu, "wall": clock.wall, "version": version("pfl")}


def main() -> None:
    torch.set_num_threads(1)
    for line in sys.stdin:
        asked = json.loads(line)
        with redirect_stdout(sys.stderr):  # pfl prints its metrics
            told = done(Path(asked.pop("folder")), **asked)
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
