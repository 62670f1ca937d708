"""The other side of `influence.py`: dattri or traker in an environment and a process of its own.

Each line of input is a JSON object (method, damping, dimension); so is each line of output, which names
the file of values. Each example is one line of prepared numbers, so that only layers of weights are left.
"""

import itertools
import json
import logging
import os
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Given(NamedTuple):
    """A network without weights, those of every model, and the examples."""

    net: nn.Module
    checkpoints: list[dict[str, Tensor]]
    apart: list[dict[str, Tensor]]
    train: TensorDataset
    rows: TensorDataset


def given(folder: Path) -> Given:
    told, held = (
        json.loads((folder / "told.json").read_text()),
        load_file(folder / "given.safetensors"),
    )
    widths, layers = told["widths"], list[nn.Module]()
    for a, b in itertools.pairwise(widths):
        layers += [nn.Linear(a, b), nn.ReLU()]
    net = nn.Sequential(*layers[:-1]).eval()

    def weights(kind: str, count: int) -> list[dict[str, Tensor]]:
        return [{k: held[f"{kind}.{i}.{k}"] for k in net.state_dict()} for i in range(count)]

    return Given(
        net,
        weights("checkpoints", told["checkpoints"]),
        weights("apart", told["apart"]),
        TensorDataset(held["train_x"], held["train_y"]),
        TensorDataset(held["x"], held["y"]),
    )


def whole(data: TensorDataset) -> DataLoader:
    """Return one batch of everything, which is the quickest here, and the only right one for a Hessian."""
    return DataLoader(data, batch_size=len(data), shuffle=False)


def log_odds(logits: Tensor, y: Tensor) -> Tensor:
    own = logits.gather(-1, y[..., None])
    never = torch.full_like(own, -torch.inf)
    return own[..., 0] - logits.scatter(-1, y[..., None], never).logsumexp(-1)


def of_dattri(asked: dict[str, Any], side: Given) -> Tensor:
    from dattri.algorithm.influence_function import IFAttributorExplicit
    from dattri.algorithm.tracin import TracInAttributor
    from dattri.algorithm.trak import TRAKAttributor
    from dattri.task import AttributionTask

    def answer(params: Any, data: Any) -> tuple[Tensor, Tensor]:
        x, y = data
        x, y = (x, y) if y.ndim else (x[None], y[None])
        return torch.func.functional_call(side.net, params, (x,)), y

    def loss(params: Any, data: Any) -> Tensor:
        return nn.functional.cross_entropy(*answer(params, data))

    def margin(params: Any, data: Any) -> Tensor:
        return log_odds(*answer(params, data)).mean()

    def sure(params: Any, data: Any) -> Tensor:
        return torch.exp(-loss(params, data))

    train, rows = whole(side.train), whole(side.rows)
    if asked["method"] == "TracIn":
        task = AttributionTask(loss, side.net, side.checkpoints, target_func=margin)
        made = TracInAttributor(task, torch.tensor(asked["rates"]), normalized_grad=False)
        made.projector_kwargs = None  # None as an argument means the default of 512 numbers
        return -made.attribute(train, rows)
    if asked["method"] == "influence":
        task = AttributionTask(loss, side.net, side.apart, target_func=margin)
        last = [name for name, _ in side.net.named_parameters()][-2:]
        made = IFAttributorExplicit(task, layer_name=last, regularization=asked["damping"])
        made.cache(train)
        return -made.attribute(train, rows)
    task = AttributionTask(margin, side.net, side.apart)
    told = {
        "proj_dim": asked["dimension"],
        "proj_max_batch_size": 32,
        "proj_seed": 0,
        "device": "cpu",
    }
    made = TRAKAttributor(task, sure, projector_kwargs=told, regularization=asked["damping"])
    made.cache(train)
    return made.attribute(rows)


def of_traker(asked: dict[str, Any], side: Given) -> Tensor:
    from trak import TRAKer

    with tempfile.TemporaryDirectory() as folder:
        made = TRAKer(
            model=side.net,
            task="image_classification",
            train_set_size=len(side.train),
            save_dir=folder,
            device="cpu",
            use_half_precision=False,
            proj_dim=asked["dimension"],
            lambda_reg=asked["damping"],
            logging_level=logging.ERROR,
        )
        for i, weights in enumerate(side.apart):
            made.load_checkpoint(weights, model_id=i)
            made.featurize(batch=side.train.tensors, num_samples=len(side.train))
        made.finalize_features()
        for i, weights in enumerate(side.apart):
            made.start_scoring_checkpoint("rows", weights, model_id=i, num_targets=len(side.rows))
            made.score(batch=side.rows.tensors, num_samples=len(side.rows))
        return torch.as_tensor(made.finalize_scores(exp_name="rows")).clone()


def main() -> None:
    library, folder = sys.argv[1], Path(sys.argv[2])
    torch.set_num_threads(1)
    said = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the libraries print there
    attribute = {"dattri": of_dattri, "traker": of_traker}[library]
    print(json.dumps({"version": version(library)}), file=said, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        side, file = given(folder), folder / f"{library}.safetensors"
        start = time.process_time()
        values = attribute(asked, side)
        seconds = time.process_time() - start
        save_file({"values": values.detach().T.contiguous()}, file)
        print(json.dumps({"cpu": seconds, "file": str(file)}), file=said, flush=True)


if __name__ == "__main__":
    main()
