"""Exact interventional TreeSHAP against shap and shapiq: same models, rows, background and thread (P4)."""

import statistics
import sys
import tempfile
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import NamedTuple

import lightgbm
import numpy as np
import torch
import xgboost
from sklearn.ensemble import RandomForestClassifier
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))
from harness import RESULTS, Row, Times, arguments, finish, interleaved, load, write
from peer import Peer, installed, peer, python_of

from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.explanation import TreeSHAP
from fivefold.explanation.trees.read import read_trees
from fivefold.explanation.trees.values import add_values, prepared
from fivefold.models import SklearnModel

PEERS = ("shap", "shapiq")
COLUMNS, CLOSE = 20, 1e-6
REACH = {10: 1.0, 100: 8.0, 1000: 80.0}  # per row, by rows of the background
ROWS_OF_PEER = {10: 1000, 100: 500, 1000: 50}  # its time grows with the background


class Case(NamedTuple):
    """A model, the rows to explain and the background."""

    name: str
    depth: int
    model: SklearnModel
    rows: np.ndarray
    background: np.ndarray


def data(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of numbers, and a number that depends on some of them together."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, COLUMNS)).astype(np.float32)
    line = np.random.default_rng(0).normal(size=COLUMNS) * 0.3
    y = x[:, 0] * x[:, 1] + np.sin(2 * x[:, 2]) + x @ line + x[:, 3] * x[:, 4] * x[:, 5]
    return x, y


def trained(name: str, depth: int, folder: Path) -> SklearnModel:
    """Return a model of 100 trees, written to `folder` in its own text format."""
    x, y = data(4000, 1)
    columns = tuple(Column(name=f"c{i}") for i in range(COLUMNS))
    schema, task = Schema(columns=columns, shape=(COLUMNS,)), Task(kind="regression")
    if name == "LightGBM":
        made = lightgbm.LGBMRegressor(
            n_estimators=100, max_depth=depth, num_leaves=2**depth, n_jobs=1, verbose=-1
        ).fit(x, y)
        made.booster_.save_model(str(folder / "lightgbm.txt"))
        return SklearnModel(estimator=made, task=task, schema=schema)
    if name == "XGBoost":
        made = xgboost.XGBRegressor(n_estimators=100, max_depth=depth, n_jobs=1).fit(x, y)
        made.get_booster().save_model(str(folder / "xgboost.json"))
        return SklearnModel(estimator=made, task=task, schema=schema)
    made = RandomForestClassifier(100, max_depth=depth, random_state=0, n_jobs=1).fit(x, y > 0)
    np.savez(folder / "forest.npz", **arrays(made))
    return SklearnModel(estimator=made, task=Task(classes=("False", "True")), schema=schema)


def arrays(forest: RandomForestClassifier) -> dict[str, np.ndarray]:
    """Return the arrays of a forest for its second class."""
    told: dict[str, np.ndarray] = {}
    for i, member in enumerate(forest.estimators_):
        tree = member.tree_
        value = tree.value[:, 0] / tree.value[:, 0].sum(1, keepdims=True)
        told |= {
            f"{i}/children_left": tree.children_left,
            f"{i}/children_right": tree.children_right,
            f"{i}/children_default": tree.children_left,
            f"{i}/features": tree.feature,
            f"{i}/thresholds": tree.threshold,
            f"{i}/values": value[:, 1:] / len(forest.estimators_),
            f"{i}/node_sample_weight": tree.weighted_n_node_samples,
        }
    return told


def compared(case: Case, library: str, folder: Path, repeats: int) -> Row:
    """Check that both sides give the same values, then time them in turn."""
    np.save(folder / "rows.npy", case.rows)
    np.save(folder / "background.npy", case.background)
    n, theirs_n = len(case.rows), min(len(case.rows), ROWS_OF_PEER[len(case.background)])
    script = Path(__file__).with_name("trees_peer.py")
    with peer(python_of(library), script, library, str(folder)) as other:
        version = other.answer()["version"]
        away = difference(case, other, min(theirs_n, 50))
        each, whole = per_row(case), everything(case)
        times: dict[str, list[dict[str, float]]] = {"explain": [], "whole": []}

        def asked(what: str) -> Callable[[], None]:
            return lambda: times[what].append(other.ask(what=what, n=theirs_n))

        ours = interleaved(each, asked("explain"), whole, asked("whole"), repeats=repeats)
        shown = [median(times["explain"]), median(times["whole"])]
    ratio = (shown[0].cpu / theirs_n) / (ours[0].cpu / n)
    return Row(
        work=f"TreeSHAP per row, {case.name} depth {case.depth}, background {len(case.background)}",
        peer=library,
        peer_version=version,
        ratio=ratio,
        reach=REACH[len(case.background)] if library == "shap" else 1.0,
        equal_quality=away <= CLOSE,
        ours=told(ours[0], ours[2], n, n) | {"largest difference of values": away},
        theirs=told(*shown, theirs_n, n),
        threads=1,
        load=load(),
    )


def difference(case: Case, other: Peer, n: int) -> float:
    """Return the largest difference of the values, over the largest value."""
    theirs = np.array(other.ask(what="values", n=n))
    found = TreeSHAP()(
        case.model,
        torch.from_numpy(case.rows[:n]),
        torch.from_numpy(case.background),
        rng=torch.Generator(),
    )
    return float(np.abs(found.values[:, :, -1].numpy() - theirs).max() / np.abs(theirs).max())


def per_row(case: Case) -> Callable[[], Tensor]:
    """Return what explains all rows, given tables made before."""
    forest = read_trees(case.model).forest
    player = torch.tensor([view.column for view in forest.views])[forest.view]
    tables = prepared(forest, player, forest.codes(case.background.astype(np.float64)))

    def explain() -> Tensor:
        values = torch.zeros(COLUMNS * len(forest.base), len(case.rows), dtype=torch.float64)
        add_values(tables, forest.codes(case.rows.astype(np.float64)), values)
        return values

    explain()
    return explain


def everything(case: Case) -> Callable[[], object]:
    """Return the whole call: reading the model, its check against the library, tables and rows."""
    x, background = torch.from_numpy(case.rows), torch.from_numpy(case.background)
    return lambda: TreeSHAP()(case.model, x, background, rng=torch.Generator())


def median(times: list[dict[str, float]]) -> Times:
    return Times(
        statistics.median(t["wall"] for t in times), statistics.median(t["cpu"] for t in times)
    )


def told(each: Times, whole: Times, n: int, of: int) -> dict[str, float]:
    """Return microseconds per row, and milliseconds of a call with its preparation, as for `of` rows."""
    more = each.cpu * (of / n - 1)
    return {
        "cpu us per row": round(each.cpu / n * 1e6, 1),
        "wall us per row": round(each.wall / n * 1e6, 1),
        "rows timed": n,
        "preparation, cpu ms": round((whole.cpu - each.cpu) * 1e3, 1),
        f"whole call of {of} rows, cpu ms": round((whole.cpu + more) * 1e3, 1),
    }


def main() -> None:
    args = arguments(__doc__ or "")
    there = installed(PEERS)
    out = args.json or RESULTS / "explanation_trees.json"
    torch.set_num_threads(1)
    names = ("LightGBM", "XGBoost", "random forest")
    sizes = ((6,), (100,)) if args.quick else ((4, 6, 8), (10, 100, 1000))
    rows: list[Row] = []
    for name, depth in product(names, sizes[0]):
        with tempfile.TemporaryDirectory() as folder:
            model = trained(name, depth, Path(folder))
            x, _ = data(1000, 2)
            libraries = [p for p in there if p == "shap" or name != "random forest"]
            for n, library in product(sizes[1], libraries):  # shapiq reads no plain arrays
                case = Case(name, depth, model, x, data(n, 3)[0])
                rows.append(compared(case, library, Path(folder), 3 if args.quick else 5))
                write(rows, out)
    finish(rows, out)


main()
