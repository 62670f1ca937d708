"""Counterfactuals within one second a row, against dice-ml: same models, rows, ranges and wishes.

Each side is asked for three answers a row, one row at a time, with one second for it; what DiCE has not
returned by then does not count. Of DiCE's answers the one that is best for it is compared: the nearest valid one.
An answer is valid if the model (asked here, on both sides) changes its class, whole numbers are whole, values lie in the
ranges that both sides were given, and immutable columns are as they were. The length of a change is the sum of
absolute differences in units of the schema's scale, another category counts 1. `ratio` is DiCE's mean length over ours on
the rows that both solved, and it counts only if ours succeeds at least as often and changes no more columns; where they
solved no row in common there is no such line. DiCE's gradient search, which wants a network over its own encoding, is not compared.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file
from sklearn.ensemble import RandomForestClassifier
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1]))

from harness import RESULTS, Row, arguments, finish, load

from fivefold.core.data import Batch, Dataset, Seen, Splits
from fivefold.core.model import Model
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.data import Bundled
from fivefold.explanation import Counterfactual
from fivefold.explanation.counterfactual.ruler import Ruler, ruler_of
from fivefold.explanation.counterfactual.rules import Actions, is_allowed
from fivefold.learning import Finetune
from fivefold.models import MLP, SklearnModel, TorchModel, fresh

PEER = Path(__file__).parents[2] / ".peers" / "dice" / "bin" / "python"
SECONDS, N = 1.0, 3
JOBS = ("office", "trade", "care", "farm", "none")
SCHOOLS = ("none", "school", "college", "university")


class Side(NamedTuple):
    """What one side achieved: for each row its best valid answer, NaN where there is none."""

    length: Tensor
    n_changed: Tensor
    outlier: Tensor
    validity: float
    seconds: float

    def told(self, both: Tensor) -> dict[str, Any]:
        """Return means over the rows that both sides solved."""
        means = {"length": self.length, "columns": self.n_changed, "outlier factor": self.outlier}
        return {k: round(float(v[both].mean()), 3) for k, v in means.items()} | {
            "rows": int(both.sum())
        }


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def adult_like() -> Dataset:
    """People with an income above or below a line: numbers, whole numbers and categories, some immutable."""
    rng, n = seeded(7), 2000
    age = (18 + 50 * torch.rand(n, generator=rng)).round()
    school = torch.randint(4, (n,), generator=rng).float()
    job = torch.randint(5, (n,), generator=rng).float()
    hours = (20 + 10 * torch.randn(n, generator=rng).abs() + 3 * school).round().clamp(1, 80)
    gain = 3000 * torch.randn(n, generator=rng).exp().clamp(max=20)
    born = torch.randint(2, (n,), generator=rng).float()
    score = 0.04 * (age - 40) + 0.9 * (school - 1.5) + 0.05 * (hours - 32) + gain / 8000
    score += torch.tensor([0.8, 0.2, 0.0, -0.6, -1.0])[job.long()] - 0.4
    y = (score + 0.5 * torch.randn(n, generator=rng) > 0).long()
    x = torch.stack([age, school, job, hours, gain.round(decimals=1), born], dim=1)
    columns = (
        Column(name="age", kind="integer", low=18, high=68, center=43, scale=14, is_immutable=True),
        Column(name="school", kind="category", categories=SCHOOLS),
        Column(name="job", kind="category", categories=JOBS),
        Column(name="hours", kind="integer", low=1, high=80, center=32, scale=7),
        Column(name="gain", low=0.0, high=60000.0, center=4500, scale=5000),
        Column(name="born", kind="category", categories=("here", "abroad"), is_immutable=True),
    )
    splits = Splits(
        Seen(Batch(x[:1200], y[:1200]), Batch(x[1200:1500], y[1200:1500])),
        Batch(x[1500:], y[1500:]),
    )
    schema = Schema(columns=columns, shape=(6,))
    return Dataset("adult-like", splits, schema, Task(classes=("below", "above")), "adult-like")


def bounded(data: Dataset) -> Dataset:
    """Return the data with the ranges that their rows show, so that both sides have the same."""
    x = torch.cat([data.splits.seen.train.x, data.splits.test.x])
    columns = tuple(
        Column(name=c.name, kind=c.kind, categories=c.categories, center=c.center, scale=c.scale,
               low=float(x[:, i].min()), high=float(x[:, i].max()), is_immutable=c.is_immutable)
        for i, c in enumerate(data.schema.columns)
    )  # fmt: skip
    return data._replace(schema=Schema(columns=columns, shape=data.schema.shape))


def trained(kind: str, data: Dataset) -> Model:
    train = data.splits.seen.train
    if kind == "forest":
        forest = RandomForestClassifier(100, random_state=0).fit(train.x.numpy(), train.y.numpy())
        return SklearnModel(estimator=forest, task=data.task, schema=data.schema)
    start = fresh(MLP(hidden=(64, 64)), data, seeded(1))
    return Finetune(epochs=20)(start, data.splits.seen, rng=seeded(2))


def judged(
    model: Model, ruler: Ruler, x: Tensor, answers: list[Tensor], seconds: list[float]
) -> Side:
    """Return the nearest valid answer of each row."""
    length = torch.full((len(x),), torch.nan, dtype=torch.float64)
    columns, outlier, n_valid, n = length.clone(), length.clone(), 0, 0
    for i, (tried, took) in enumerate(zip(answers, seconds, strict=True)):
        if not len(tried):
            continue
        row, now = x[i : i + 1], model.predict(x[i : i + 1]).argmax(1)
        none = torch.zeros(1, dtype=torch.int64)
        good = is_allowed(model.schema, row, tried[None], Actions(), none)[0]
        good &= model.predict(tried).argmax(1) != now
        n_valid, n = n_valid + int(good.sum()), n + len(tried)
        if not good.any() or took > SECONDS * 1.05:
            continue
        away = ruler.distance(row, tried[None])[0].masked_fill(~good, torch.inf)
        best = int(away.argmin())
        length[i], columns[i] = float(away[best]), float((tried[best] != row[0]).sum())
        outlier[i] = float(ruler.outlier(tried[best]))
    return Side(length, columns, outlier, n_valid / max(n, 1), float(np.mean(seconds)))


def ours(model: Model, x: Tensor, background: Tensor, ruler: Ruler) -> Side:
    method = Counterfactual(n=N, seconds=SECONDS * 0.95)
    method(model, x[:1], background, rng=seeded(0))  # the first call of a process warms up
    answers, seconds = [], []
    for i in range(len(x)):
        start = time.perf_counter()
        found = method(model, x[i : i + 1], background, rng=seeded(0))
        seconds.append(time.perf_counter() - start)
        answers.append(found.values[0][found.found[0]])
    return judged(model, ruler, x, answers, seconds)


def theirs(kind: str, model: Model, data: Dataset, x: Tensor) -> dict[str, Any]:
    columns = [
        {
            k: getattr(c, k)
            for k in ("name", "kind", "low", "high", "center", "scale", "is_immutable")
        }
        | {"categories": list(c.categories)}
        for c in data.schema.columns
    ]
    told = {"columns": columns, "model": kind, "n": N, "seconds": SECONDS}
    train = data.splits.seen.train
    given = {"train": train.x, "target": train.y, "x": x}
    if isinstance(model, TorchModel):
        held = [m for m in model.net.modules() if isinstance(m, nn.Linear)]
        given |= {
            f"{i}.{k}": p.detach() for i, m in enumerate(held) for k, p in m.named_parameters()
        }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_file({k: v.contiguous() for k, v in given.items()}, folder / "given.safetensors")
        (folder / "asked.json").write_text(json.dumps(told))
        script = Path(__file__).parent / "dice_peer.py"
        subprocess.run([PEER, "-W", "ignore", script, folder], check=True)
        return json.loads((folder / "found.json").read_text())


def rows(data: Dataset, kind: str, n: int) -> Iterator[Row]:
    model, background = trained(kind, data), data.splits.seen.train.x[:300]
    x = data.splits.test.x[:n]
    ruler = ruler_of(data.schema, background, seeded(0))
    peer = theirs(kind, model, data, x)
    away = (torch.tensor(peer["probabilities"]) - model.predict(x).double().softmax(-1)).abs().max()
    assert away < 1e-4, f"the two sides do not ask the same model: {away}"
    mine = ours(model, x, background, ruler)
    for method in ("random", "genetic", "kdtree"):
        answers = [torch.tensor(a, dtype=torch.float32) for a in peer[method]["answers"]]
        other = judged(model, ruler, x, answers, peer[method]["seconds"])
        yield from lines(f"{data.name} {kind}, {n} rows", method, str(peer["version"]), mine, other)


def lines(work: str, method: str, version: str, mine: Side, other: Side) -> Iterator[Row]:
    """Return how often each side succeeds, and how long its changes are where both do."""
    shared: dict[str, Any] = {
        "peer": f"dice-ml {method}",
        "peer_version": version,
        "threads": 1,
        "load": load(),
    }
    solved, other_solved = mine.length.isfinite(), other.length.isfinite()
    both, n = solved & other_solved, len(solved)
    yield Row(
        work=f"success within 1 s, {work}",
        ratio=round(int(solved.sum()) / max(int(other_solved.sum()), 1), 3),
        reach=1.0,
        equal_quality=mine.validity >= other.validity,
        ours={"solved": int(solved.sum()), "of": n, "valid answers": round(mine.validity, 3),
              "wall seconds per row": round(mine.seconds, 3)},
        theirs={"solved": int(other_solved.sum()), "of": n, "valid answers": round(other.validity, 3),
                "wall seconds per row": round(other.seconds, 3)},
        **shared,
    )  # fmt: skip
    if both.any():
        mean = [float(side.n_changed[both].mean()) for side in (mine, other)]
        yield Row(
            work=f"length of the change, {work}",
            ratio=round(float(other.length[both].mean() / mine.length[both].mean()), 3),
            reach=1.0,
            equal_quality=bool(solved.sum() >= other_solved.sum()) and mean[0] <= mean[1] + 1e-9,
            ours=mine.told(both),
            theirs=other.told(both),
            **shared,
        )


def main() -> None:
    asked = arguments(str(__doc__))
    if not PEER.exists():
        sys.exit("skipped: no environment for dice; make .peers/dice")
    torch.set_num_threads(1)
    cancer = bounded(Bundled(name="breast_cancer").load(Path(), seeded(0)))
    n = 3 if asked.quick else 50
    found = [
        row
        for data in (cancer, adult_like())
        for kind in ("forest", "mlp")
        for row in rows(data, kind, n)
    ]
    finish(found, asked.json or RESULTS / "explanation_counterfactual.json")


if __name__ == "__main__":
    main()
