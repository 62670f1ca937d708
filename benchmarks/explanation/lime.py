"""CPU time and stability of LIME on tables, against lime: same network, samples, kernel and discretisation.

Both explain the log-odds of the predicted class from 5,000 samples, with every feature in the line. "quartiles" cuts
columns into quartiles (lime's default), "around" moves them around the row. Stability is the mean Jaccard index of the
five largest coefficients over all pairs of seeds. That both find the same line is shown by the correlation of their
mean coefficients. Ours answers every class at once; lime is asked for one.

Two things differ. Within a quartile lime draws from a truncated normal, and ours from the training rows' own values; so the
lines agree closely but not exactly. Where many rows are explained at once, "quartiles" asks the model for the same 5,000
samples only once: they do not depend on the row. Lime has no such call, so that its seconds are those of one row. Rows
explained one by one stand in lines of their own.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import torch
from safetensors.torch import save_file
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

from harness import RESULTS, Row, arguments, finish, load
from lime_model import logits, prepared

from fivefold.core.data import Inputs, as_tensor
from fivefold.core.lineage import Lineage
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.explanation import TabularLIME

PEER = Path(__file__).parents[2] / ".peers" / "lime" / "bin" / "python"
BUDGET, TOP, MANY = 5000, 5, 100
PENALTY = 4e-4  # about that of lime, 1 over the sum of the weights
Sampling = Literal["quartiles", "around"]
CASES: tuple[tuple[str, Sampling], ...] = (
    ("breast cancer", "quartiles"),
    ("wine", "quartiles"),
    ("digits", "quartiles"),
    ("adult-like", "quartiles"),
    ("breast cancer", "around"),
    ("adult-like", "around"),
)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Table(NamedTuple):
    x: Tensor
    y: Tensor
    categories: list[int]  # 0 for a number


@dataclass(frozen=True)
class Asked:
    """The network as a model of our house."""

    held: dict[str, Tensor]
    schema: Schema
    task: Task
    lineage: Lineage = ()

    def predict(self, x: Inputs) -> Tensor:
        return logits(self.held, as_tensor(x))

    def with_lineage(self, lineage: Lineage) -> Self:
        return replace(self, lineage=lineage)


def adult_like() -> Table:
    """Six numbers, some skewed, and six categories; who earns much depends on seven of them, partly together."""
    rng = seeded(0)
    x = torch.randn(3000, 12, generator=rng)
    x[:, 2:4] = x[:, 2:4].exp()
    sizes = [0] * 6 + [7, 16, 6, 5, 2, 9]
    for i, size in enumerate(sizes):
        if size:
            x[:, i] = torch.rand(3000, generator=rng).square().mul(size).floor()
    score = x[:, 0] + 0.5 * x[:, 2] * (x[:, 6] < 2) + 0.3 * x[:, 1] * x[:, 4] + (x[:, 7] % 3 - 1)
    score = score + 0.8 * x[:, 10] - 0.4 * (x[:, 8] == 1)
    return Table(x, (score > score.median()).long(), sizes)


def table(name: str) -> Table:
    if name == "adult-like":
        return adult_like()
    made = {"breast cancer": load_breast_cancer, "wine": load_wine, "digits": load_digits}[name]
    x, y = made(return_X_y=True)
    return Table(torch.from_numpy(x).float(), torch.from_numpy(y).long(), [0] * x.shape[1])


def trained(given: Table) -> dict[str, Tensor]:
    """Return a network of two hidden layers and how it prepares its inputs."""
    held = {
        "categories": torch.tensor(given.categories),
        "mean": given.x.mean(0),
        "scale": given.x.std(0).clamp(min=1e-6),
    }
    rng, wide = seeded(1), prepared(held, given.x[:1]).shape[1]
    n_classes = int(given.y.max()) + 1
    for name, a, b in (("inner", wide, 32), ("middle", 32, 32), ("outer", 32, n_classes)):
        held[name] = torch.randn(a, b, generator=rng) * (2 / a) ** 0.5
        held[name + " bias"] = torch.zeros(b)
    learned = [k for k in held if k.split()[0] in ("inner", "middle", "outer")]
    optimizer = torch.optim.AdamW(
        [held[k].requires_grad_() for k in learned], lr=0.01, weight_decay=0.1
    )
    for _ in range(200):
        optimizer.zero_grad()
        nn.functional.cross_entropy(logits(held, given.x), given.y).backward()
        optimizer.step()
    return {k: v.detach() for k, v in held.items()}


def model_of(given: Table, held: dict[str, Tensor]) -> Asked:
    columns = tuple(
        Column(name=f"c{i}", kind="category", categories=tuple(map(str, range(size))))
        if size
        else Column(name=f"c{i}")
        for i, size in enumerate(given.categories)
    )
    classes = tuple(map(str, range(int(given.y.max()) + 1)))
    return Asked(held, Schema(columns=columns, shape=(len(columns),)), Task(classes=classes))


class Side(NamedTuple):
    """Values `(seeds, rows, columns)`, and CPU seconds per row."""

    values: np.ndarray
    seconds: float


def ours(
    model: Asked, rest: Tensor, rows: Tensor, target: Tensor, sampling: Sampling, seeds: int
) -> tuple[np.ndarray, dict[str, float]]:
    """Return what we find for the predicted class, and CPU seconds per row: of many rows at once, and of one."""
    lime = TabularLIME(budget=BUDGET, sampling=sampling, penalty=PENALTY)
    pick = target[:, None, None].expand(-1, rows.shape[1], 1)

    def seconds(x: Tensor, seed: int) -> float:
        start = time.process_time()
        lime(model, x, rest, rng=seeded(seed))
        return (time.process_time() - start) / len(x)

    values = [
        lime(model, rows, rest, rng=seeded(seed)).values.gather(2, pick)[..., 0].numpy()
        for seed in range(seeds)
    ]
    many, repeats = rest[:MANY], 5
    return np.stack(values), {
        f"{MANY} rows at once": float(np.median([seconds(many, i) for i in range(repeats)])),
        "one row": float(np.median([seconds(rows[:1], i) for i in range(repeats)])),
    }


def theirs(held: dict[str, Tensor], asked: dict[str, Any]) -> tuple[Side, str]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_file({k: v.contiguous() for k, v in held.items()}, folder / "held.safetensors")
        (folder / "asked.json").write_text(json.dumps(asked))
        script = Path(__file__).parent / "lime_peer.py"
        subprocess.run([PEER, "-W", "ignore", script, folder], check=True)
        found = dict(np.load(folder / "found.npz"))
        return Side(found["values"], float(found["seconds"])), str(found["version"])


def jaccard(values: np.ndarray) -> float:
    """Return the mean overlap of the five largest coefficients, over pairs of seeds and rows."""
    tops = [[set(np.argsort(-np.abs(row))[:TOP]) for row in seed] for seed in values]
    return float(
        np.mean(
            [
                len(a & b) / len(a | b)
                for one, other in combinations(tops, 2)
                for a, b in zip(one, other, strict=True)
            ]
        )
    )


def rows_of(name: str, sampling: Sampling, n_rows: int, seeds: int) -> Iterator[Row]:
    given = table(name)
    held = trained(given)
    model, order = model_of(given, held), torch.randperm(len(given.x), generator=seeded(2))
    rows, train = given.x[order[:n_rows]], given.x[order[n_rows:]]
    target = logits(held, rows).argmax(1)
    asked = {"sampling": sampling, "seeds": seeds, "budget": BUDGET}
    peer, version = theirs(held | {"train": train, "rows": rows, "target": target}, asked)
    mine, seconds = ours(model, train, rows, target, sampling, seeds)
    if sampling == "around":  # ours are slopes times the way from the mean; lime tells slopes
        way = ((rows - train.mean(0)) / train.std(0, correction=0)).double().numpy()
        mine = mine / np.where(np.array(given.categories) > 0, 1.0, way)
    stable, other = jaccard(mine), jaccard(peer.values)
    alike = np.corrcoef(mine.mean(0).ravel(), peer.values.mean(0).ravel())[0, 1]
    for how, per_row in seconds.items():
        yield Row(
            work=f"LIME, {sampling}, {BUDGET:,} samples, {name}, {how}",
            peer="lime",
            peer_version=version,
            ratio=round(peer.seconds / per_row, 2),
            reach=10.0,
            equal_quality=stable >= other and float(alike) > 0.95,
            ours={
                "cpu seconds per row": round(per_row, 5),
                "top-5 Jaccard": round(stable, 4),
                "correlation with lime": round(float(alike), 4),
            },
            theirs={
                "cpu seconds per row": round(peer.seconds, 5),
                "top-5 Jaccard": round(other, 4),
            },
            threads=1,
            load=load(),
        )


def main() -> None:
    asked = arguments(str(__doc__))
    if not PEER.exists():
        sys.exit("skipped: no environment for lime; make .peers/lime")
    torch.set_num_threads(1)
    n_rows, seeds = (3, 4) if asked.quick else (10, 20)
    cases = CASES[2:5] if asked.quick else CASES
    found = [row for name, sampling in cases for row in rows_of(name, sampling, n_rows, seeds)]
    finish(found, asked.json or RESULTS / "explanation_lime.json")


if __name__ == "__main__":
    main()
