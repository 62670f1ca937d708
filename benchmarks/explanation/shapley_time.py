"""CPU time of Shapley values at equal error, the model's time included, against shap's KernelExplainer (P2, P3).

Each side takes the smallest budget of a ladder at which the relative error, the root of the mean over rows
of |values - truth|^2 / |truth|^2, is at most 1 %; the truth lists all sets. Then the same rows are timed at that budget. Both ask the same numpy model
about the same background.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.datasets import make_classification
from sklearn.preprocessing import StandardScaler
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
from harness import RESULTS, Row, arguments, finish, load
from peer import Peer, installed, peer, python_of
from shapley_games import MOST as COLUMNS
from shapley_games import breast_cancer, network
from shapley_net import Array, Net, log_odds, write

from fivefold.core.data import Inputs, as_tensor
from fivefold.core.lineage import Lineage
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.explanation import Explainer, OddKernelSHAP
from fivefold.explanation.coalitions import every_set
from fivefold.explanation.exact import shapley_weights

ERROR, REACH = 1e-2, 10.0
LADDER = (
    4,
    6,
    8,
    10,
    12,
    16,
    20,
    24,
    32,
    40,
    48,
    64,
    80,
    96,
    128,
    192,
    256,
    384,
    512,
)  # sets per feature


@dataclass(frozen=True)
class Numpy:
    """A model whose answers come from numpy."""

    net: Net
    schema: Schema
    task: Task
    lineage: Lineage = ()

    def predict(self, x: Inputs) -> Tensor:
        return torch.from_numpy(self.net.logits(as_tensor(x).numpy()))

    def with_lineage(self, lineage: Lineage) -> "Numpy":
        return replace(self, lineage=lineage)


class Case(NamedTuple):
    """A model, rows, background and the exact values of the first rows."""

    work: str
    net: Net
    x: Array
    background: Array
    truth: Array
    ours: Callable[[int], Explainer]
    setting: str
    timed: int  # rows that the peer is timed on; its time is a sum over rows

    def error(self, values: Array) -> float:
        """Return the root mean square, over rows and outputs, of the relative error."""
        rows = min(len(values), len(self.truth))
        away = ((values[:rows] - self.truth[:rows]) ** 2).sum(1)
        return float(np.sqrt((away / (self.truth[:rows] ** 2).sum(1)).mean()))


def diagnosis(burn: int) -> tuple[Net, Array]:
    """Return the network of fourteen columns of breast cancer, as in `shapley_accuracy.py`, and its rows."""
    table = breast_cancer()
    x = StandardScaler().fit_transform(table.x[:, ::2][:, :COLUMNS]).astype(np.float32)
    return _net(network(x, table.y, is_class=True), burn), x


def ten_classes() -> tuple[Net, Array]:
    """Return a network of ten classes and fourteen columns, and its rows."""
    x, y = make_classification(
        3000, COLUMNS, n_informative=10, n_classes=10, n_clusters_per_class=1, random_state=0
    )
    x = StandardScaler().fit_transform(x).astype(np.float32)
    return _net(network(x, y, is_class=True), 0), x


def _net(fitted: Any, burn: int) -> Net:
    weights, offsets = (
        [part.astype(np.float32) for part in parts] for parts in (fitted.coefs_, fitted.intercepts_)
    )
    return Net(weights, offsets, burn)


def exact(net: Net, x: Array, background: Array) -> Array:
    """Return the values by listing every set; the slow model answers as the quick one."""
    quick, keep = net._replace(burn=0), every_set(x.shape[1])
    sets, weights = keep.numpy(), shapley_weights(keep).numpy()
    out = []
    for row in x:
        scores = [
            log_odds(quick.logits(np.where(some[:, None], row, background).reshape(-1, x.shape[1])))
            for some in np.array_split(sets, max(1, len(sets) // 256))
        ]
        by_set = np.concatenate(scores).reshape(len(sets), len(background), -1).mean(1)
        out.append(weights @ by_set)
    return np.stack(out)


# What the documentation recommends: one kernel for all where a model is cheap to ask, else one for each.
RECOMMENDED: dict[str, Callable[[int], Explainer]] = {
    "one kernel": lambda budget: OddKernelSHAP(budget=budget, steps=0),
    "a kernel each": lambda budget: OddKernelSHAP(budget=budget),
}


def cases(is_quick: bool) -> list[Case]:
    """Return a cheap and a slow model of one output, and the throughput of many rows and classes."""
    judged, burn = (2, 1) if is_quick else (4, 12)
    cheap, many, few = (20, 50, 2) if is_quick else (100, 1000, 2)

    def made(work: str, told: tuple[Net, Array], sizes: tuple[int, int], choice: str) -> Case:
        (net, every), (rows, behind) = told, sizes
        order = np.random.default_rng(6).permutation(len(every))
        x, background = every[order[:rows]], every[order[rows : rows + behind]]
        truth = exact(net, x[:judged], background)
        return Case(work, net, x, background, truth, RECOMMENDED[choice], choice, min(rows, 20))

    return [
        made(f"Shapley time to 1 % error, cheap network, {cheap} rows, background 50",
             diagnosis(0), (cheap, 50), "one kernel"),
        made(f"Shapley time to 1 % error, slow network, {few} rows, background 5",
             diagnosis(burn), (few, 5), "a kernel each"),
        made(f"Shapley throughput at 1 % error, {many} rows, 10 classes, background 100",
             ten_classes(), (many, 100), "one kernel"),
    ]  # fmt: skip


class Ours:
    """Our side of a case; a kernel is learnt from many rows, so the error is judged among as many as there are."""

    def __init__(self, case: Case) -> None:
        n, outputs = case.x.shape[1], case.net.weights[-1].shape[1]
        schema = Schema(columns=tuple(Column(name=f"c{i}") for i in range(n)), shape=(n,))
        one = Task(kind="regression")
        self.task = one if outputs == 1 else Task(classes=tuple(map(str, range(outputs))))
        self.case, self.schema, self.judged_with = case, schema, min(len(case.x), 100)

    def run(self, net: Net, rows: int, times: int) -> tuple[Array, dict[str, float]]:
        x, behind = torch.from_numpy(self.case.x[:rows]), torch.from_numpy(self.case.background)
        explainer = self.case.ours(times * self.case.x.shape[1])
        model, rng = Numpy(net, self.schema, self.task), torch.Generator().manual_seed(7)
        start, wall = time.process_time(), time.perf_counter()
        values = explainer(model, x, behind, rng=rng).values.numpy()
        return values, {"cpu": time.process_time() - start, "wall": time.perf_counter() - wall}


class Theirs:
    """shap in its own process."""

    def __init__(self, case: Case, folder: Path, shap: Peer) -> None:
        self.case, self.folder, self.shap = case, folder, shap
        self.judged_with = len(case.truth)

    def run(self, net: Net, rows: int, times: int) -> tuple[Array, dict[str, float]]:
        file, out = self.folder / "asked.npz", self.folder / "found.npy"
        write(net, self.case.x[:rows], self.case.background, file)
        budget = times * self.case.x.shape[1]
        told = self.shap.ask(file=str(file), budget=budget, rows=rows, seed=7, out=str(out))
        return np.load(out), told


def needed(side: Ours | Theirs, case: Case) -> int:
    """Return the sets per feature at which the error is small enough, asked of the quick model."""
    quick, rows = case.net._replace(burn=0), side.judged_with
    for times in LADDER:
        if case.error(side.run(quick, rows, times)[0]) <= ERROR:
            return times
    return LADDER[-1]


def compared(case: Case, folder: Path, repeats: int) -> Row:
    """Find both budgets, then time in turn; the peer's time is per row, times the rows."""
    script = Path(__file__).with_name("shapley_time_peer.py")
    with peer(python_of("shap"), script) as shap:
        version = shap.answer()["version"]
        ours, theirs = Ours(case), Theirs(case, folder, shap)
        budgets = needed(ours, case), needed(theirs, case)
        found: list[list[dict[str, float]]] = [[], []]
        for _ in range(repeats):
            mine, told = ours.run(case.net, len(case.x), budgets[0])
            found[0].append(told)
            other, told = theirs.run(case.net, case.timed, budgets[1])
            found[1].append({k: v * len(case.x) / case.timed for k, v in told.items()})
    errors = case.error(mine), case.error(other)
    middle = [{k: float(np.median([f[k] for f in side])) for k in side[0]} for side in found]
    return Row(
        work=case.work,
        peer="shap KernelExplainer",
        peer_version=version,
        ratio=middle[1]["cpu"] / middle[0]["cpu"],
        reach=REACH,
        equal_quality=errors[0] <= max(ERROR, errors[1]),
        ours={"setting": case.setting} | shown(middle[0], budgets[0], errors[0]),
        theirs=shown(middle[1], budgets[1], errors[1]) | {"rows timed": case.timed},
        threads=1,
        load=load(),
    )


def shown(times: dict[str, float], budget: int, error: float) -> dict[str, Any]:
    return {
        "cpu s": round(times["cpu"], 3),
        "wall s": round(times["wall"], 3),
        "sets per feature": budget,
        "error": float(f"{error:.2g}"),
    }


def main() -> None:
    args = arguments(__doc__ or "")
    torch.set_num_threads(1)
    if not installed(["shap"]):
        return
    with tempfile.TemporaryDirectory() as folder:
        repeats = 1 if args.quick else 3
        rows = [compared(case, Path(folder), repeats) for case in cases(args.quick)]
    finish(rows, args.json or RESULTS / "explanation_shapley_time.json")


if __name__ == "__main__":
    main()
