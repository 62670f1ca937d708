"""The data, models and judges of the influence benchmark."""

import gzip
import os
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool
from torch import Generator, Tensor

from fivefold.core.data import Batch, shuffled
from fivefold.core.loss import cross_entropy
from fivefold.core.schema import Schema
from fivefold.core.task import Task
from fivefold.data import Bundled
from fivefold.explanation.influence.retraining import Retraining, parts_of
from fivefold.explanation.influence.score import score
from fivefold.models import MLP, TorchModel
from fivefold.training.fit import fit
from fivefold.training.optimizer import SGD

HOME = Path(__file__).parents[2]
DATA = Path(os.environ.get("FIVEFOLD_DATA", HOME.parent / "shared" / "data"))
TEN = Task(classes=tuple("0123456789"))
EPOCHS, SIZE, RATE = 30, 32, 0.1
CHECKPOINTS, MODELS = 5, 5


class Size(NamedTuple):
    """How much of everything there is."""

    train: int
    rows: int
    judges: int


class Case(NamedTuple):
    """What is attributed, and the judges: models trained on parts of the training rows.

    `checkpoints` are of one training; `apart` were each trained on all rows, with a seed of its own.
    """

    train: Batch
    rows: Batch
    checkpoints: list[TorchModel]
    apart: list[TorchModel]
    parts: Bool[Tensor, "part train"]
    scores: Tensor

    @property
    def rates(self) -> tuple[float, ...]:
        """Return the learning rate times visits over the size of a batch, of each checkpoint."""
        return (RATE * EPOCHS / CHECKPOINTS / SIZE,) * CHECKPOINTS


def pictures(name: str) -> tuple[Tensor, Tensor]:
    """Return images in [0, 1] and their classes, in a random order that is always the same."""
    rng = Generator().manual_seed(0)
    if name == "digits":
        data = Bundled(name="digits").load(Path(), rng)
        both = data.splits.seen.train, data.splits.test
        return torch.cat([torch.as_tensor(b.x) for b in both]), torch.cat([b.y for b in both])
    folder = DATA / "mnist_t10k"
    with gzip.open(folder / "t10k-images-idx3-ubyte.gz") as file:
        raw = np.frombuffer(file.read(), np.uint8, offset=16).copy()
    with gzip.open(folder / "t10k-labels-idx1-ubyte.gz") as file:
        y = torch.from_numpy(np.frombuffer(file.read(), np.uint8, offset=8).copy()).long()
    whole = torch.from_numpy(raw).view(-1, 1, 28, 28).float() / 255
    order = torch.randperm(len(y), generator=rng)
    return torch.nn.functional.avg_pool2d(whole, 2)[order], y[order]


def case(name: str, hidden: tuple[int, ...], size: Size) -> Case:
    """Return a case; every model is trained by plain gradient descent."""
    rng = Generator().manual_seed(1)
    x, y = pictures(name)
    train = Batch(x[: size.train], y[: size.train])
    rows = Batch(x[-size.rows :], y[-size.rows :])
    architecture, schema = MLP(hidden=hidden), Schema(shape=tuple(x.shape[1:]))
    apart = [trained(architecture, schema, train, seed)[-1] for seed in range(MODELS)]
    parts = parts_of(size.train, size.judges, 0.5, rng)
    again = Retraining(epochs=EPOCHS, size=SIZE, optimizer=plain())
    judges = again(apart[0], train, parts, rng)
    seen = [score(judge.predict(rows.x).double(), rows.y, TEN) for judge in judges]
    steps = trained(architecture, schema, train, 0)
    return Case(train, rows, steps, apart, parts, torch.stack(seen, 1))


def plain() -> SGD:
    return SGD(lr=RATE, momentum=0.0, nesterov=False)


def trained(architecture: MLP, schema: Schema, train: Batch, seed: int) -> list[TorchModel]:
    """Return the checkpoints of one training."""
    rng = Generator().manual_seed(100 + seed)
    net, found = architecture.build(schema, TEN, rng), list[TorchModel]()
    for _ in range(CHECKPOINTS):
        draws = shuffled(train, SIZE, EPOCHS // CHECKPOINTS, rng)
        fit(net, draws, cross_entropy, optimizer=plain())
        found.append(TorchModel(deepcopy(net), TEN, schema, architecture))
    return found
