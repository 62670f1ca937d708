"""The data, models and games of the Shapley benchmarks, with their exact values."""

import csv
import gzip
import os
import sys
from collections.abc import Callable
from itertools import product
from math import factorial
from pathlib import Path
from typing import Any, NamedTuple

import lightgbm
import numpy as np
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

sys.path.insert(0, str(Path(__file__).parent))
from shapley_played import Array, Game

from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.explanation import TreeSHAP
from fivefold.explanation.coalitions import every_set
from fivefold.explanation.exact import shapley_weights
from fivefold.models import SklearnModel

HOME = Path(__file__).parents[2]
DATA = Path(os.environ.get("FIVEFOLD_DATA", HOME.parent / "shared" / "data"))
MOST = 14  # columns of a network, so that all sets can be listed


class Table(NamedTuple):
    """Columns and a target; `is_class` if it is 0 or 1."""

    x: Array
    y: Array
    is_class: bool


def breast_cancer() -> Table:
    x, y = load_breast_cancer(return_X_y=True)
    return Table(x, y, True)


def diabetes() -> Table:
    x, y = load_diabetes(return_X_y=True)
    return Table(x, (y - y.mean()) / y.std(), False)


def houses() -> Table:
    """Eight columns made to behave like the census of Californian houses: incomes, rooms and places."""
    rng = np.random.default_rng(1)
    income, age = rng.lognormal(1.2, 0.45, 4000), rng.uniform(1, 52, 4000)
    rooms = 4 + income / 3 + rng.normal(0, 0.8, 4000)
    bedrooms, people = rooms / 5 + rng.normal(0, 0.1, 4000), rng.lognormal(7, 0.6, 4000)
    crowd = rng.lognormal(1.0, 0.25, 4000)
    south = rng.random(4000) < 0.55
    latitude = np.where(south, 34, 37.8) + rng.normal(0, 0.8, 4000)
    longitude = np.where(south, -118, -121.8) + rng.normal(0, 0.8, 4000)
    coast = np.exp(-np.abs(latitude + longitude + 84))
    y = 0.45 * income * (1 + coast) + 0.01 * age * coast - 0.3 * crowd + 0.2 * rooms * (income > 4)
    x = np.stack([income, age, rooms, bedrooms, people, crowd, latitude, longitude], 1)
    return Table(x, y + rng.normal(0, 0.3, 4000), False)


def adult() -> Table:
    """The census of incomes; words are numbered by how often their rows earn much."""
    with gzip.open(DATA / "tab_adult" / "adult-train.csv.gz", "rt") as file:
        rows = [[cell.strip() for cell in row] for row in csv.reader(file) if len(row) == 15]
    y = np.array([row[14].startswith(">") for row in rows]).astype(int)
    return Table(np.stack([_numbers([row[j] for row in rows], y) for j in range(14)], 1), y, True)


def _numbers(cells: list[str], y: Array) -> Array:
    if cells[0].lstrip("-").isdigit():
        return np.array(cells, dtype=float)
    kinds, which = np.unique(np.array(cells), return_inverse=True)
    rate = np.array([y[which == k].mean() for k in range(len(kinds))])
    return rate.argsort().argsort()[which].astype(float)


def correlated() -> Table:
    """Sixty columns of which neighbours are alike; twelve matter, with products of two and three."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(4000, 60))
    for j in range(1, 60):
        x[:, j] = 0.6 * x[:, j - 1] + 0.8 * x[:, j]
    u = x[:, ::4][:, :12]
    y = u[:, 0] * u[:, 1] + np.sin(2 * u[:, 2]) + u[:, 3] * u[:, 4] * u[:, 5] + np.abs(u[:, 6])
    return Table(x, y + u @ np.linspace(-1, 1, 12) + rng.normal(0, 0.3, 4000), False)


TABLES: dict[str, Callable[[], Table]] = {
    "breast cancer": breast_cancer,
    "houses": houses,
    "diabetes": diabetes,
    "adult": adult,
    "correlated": correlated,
}


def games(name: str, kind: str, behind: int, count: int) -> list[Game]:
    """Return `count` games: a row of the data each, against `behind` background rows of its own."""
    x, y, is_class = TABLES[name]()
    rng = np.random.default_rng(0)
    if kind == "LightGBM":
        model = _boosted(x, y, is_class)
        made: Callable[[Array, Array], Game] = _of_trees(model, is_class, x.shape[1])
    else:
        scaler = StandardScaler()
        x = scaler.fit_transform(x[:, :: max(1, x.shape[1] // MOST)][:, :MOST])
        made = _of_network(network(x, y, is_class))
    out: list[Game] = []
    while len(out) < count:
        row, others = x[rng.integers(len(x))], x[rng.permutation(len(x))[:behind]]
        game = made(row, others)
        if (game.truth**2).sum() > 0:  # else there is no relative error
            out.append(game)
    return out


def _boosted(x: Array, y: Array, is_class: bool) -> Any:
    told: dict[str, Any] = {"n_estimators": 100, "num_leaves": 31, "n_jobs": 1, "verbose": -1}
    made = lightgbm.LGBMClassifier(**told) if is_class else lightgbm.LGBMRegressor(**told)
    return made.fit(x.astype(np.float32), y)


def network(x: Array, y: Array, is_class: bool) -> Any:
    """Return a network of two hidden layers, fitted."""
    kind = MLPClassifier if is_class else MLPRegressor
    made = kind(hidden_layer_sizes=(32, 16), random_state=0, max_iter=200, tol=1e-3)
    return made.fit(x, y)


def _of_network(net: Any) -> Callable[[Array, Array], Game]:
    """Return games of the network before its last function, all sets listed."""
    (w1, w2, w3), (b1, b2, b3) = net.coefs_, net.intercepts_
    n = len(w1)
    keep = every_set(n)
    weights = shapley_weights(keep).numpy()
    sets = keep.numpy().astype(float)

    def made(row: Array, others: Array) -> Game:
        table = np.zeros(len(sets))
        for other in others:
            inner = np.maximum(sets @ ((row - other)[:, None] * w1) + other @ w1 + b1, 0)
            table += (np.maximum(inner @ w2 + b2, 0) @ w3 + b3)[:, 0] / len(others)
        return Game(n, {"table": table}, weights @ table)

    return made


def _of_trees(model: Any, is_class: bool, n: int) -> Callable[[Array, Array], Game]:
    """Return games of what the trees add up to, as terms; the truth is our TreeSHAP, checked by the terms."""
    leaves = [leaf for tree in model.booster_.dump_model()["tree_info"] for leaf in _leaves(tree)]
    columns = tuple(Column(name=f"c{i}") for i in range(n))
    task = Task(classes=("0", "1")) if is_class else Task(kind="regression")
    ours = SklearnModel(estimator=model, task=task, schema=Schema(columns=columns, shape=(n,)))

    def made(row: Array, others: Array) -> Game:
        row, others = row.astype(np.float32), others.astype(np.float32)
        parts, values = _terms(leaves, row, others)
        x, behind = torch.from_numpy(row[None]), torch.from_numpy(others)
        truth = TreeSHAP()(ours, x, behind, rng=torch.Generator()).values[0, :, -1].numpy()
        assert np.abs(truth - values).max() <= 1e-6 * max(1.0, np.abs(truth).max())
        game = Game(n, parts, truth)
        _check(game, model, row, others)
        return game

    return made


def _leaves(tree: dict[str, Any]) -> list[tuple[float, list[tuple[int, float, bool]]]]:
    """Return each leaf's value and the questions above it: column, threshold, and whether at most that."""
    found, open_nodes = [], [(tree["tree_structure"], [])]
    while open_nodes:
        node, above = open_nodes.pop()
        if "leaf_value" in node:
            found.append((node["leaf_value"], above))
            continue
        for child, is_left in (("left_child", True), ("right_child", False)):
            question = (node["split_feature"], node["threshold"], is_left)
            open_nodes.append((node[child], [*above, question]))
    return found


def _terms(leaves: list[Any], row: Array, others: Array) -> tuple[dict[str, Array], Array]:
    """Return the sum over leaves that some mixture of the row and a background row falls into."""
    n = len(row)
    known: dict[tuple[frozenset[int], frozenset[int]], float] = {}
    for value, above in leaves:
        wrong = {j for j, t, left in above if (row[j] <= t) != left}
        bad = np.zeros((len(others), n), dtype=bool)
        for j, t, left in above:
            bad[:, j] |= (others[:, j] <= t) != left
        sets, counts = np.unique(bad, axis=0, return_counts=True)
        for failed, times in zip(sets, counts, strict=True):
            need = frozenset(np.flatnonzero(failed).tolist())
            if not need & wrong:
                key = (need, frozenset(wrong))
                known[key] = known.get(key, 0.0) + value * times / len(others)
    base = known.pop((frozenset(), frozenset()), 0.0)
    sign, values = np.zeros((n, len(known)), dtype=np.float32), np.zeros(n)
    for k, ((need, wrong), value) in enumerate(known.items()):
        sign[sorted(need), k], sign[sorted(wrong), k] = 1, -1
        a, b = len(need), len(wrong)
        for j in need:
            values[j] += value * factorial(a - 1) * factorial(b) / factorial(a + b)
        for j in wrong:
            values[j] -= value * factorial(a) * factorial(b - 1) / factorial(a + b)
    wanted = np.array([len(need) for need, _ in known], dtype=np.float32)
    told = {"sign": sign, "wanted": wanted, "value": np.array(list(known.values()))}
    return told | {"base": np.array(base)}, values


def _check(game: Game, model: Any, row: Array, others: Array) -> None:
    """Check that the game is the model's mean answer to rows with some columns replaced."""
    keep = np.random.default_rng(3).random((5, game.n)) < 0.5
    mixed = np.where(keep[:, None], row, others).reshape(-1, game.n)
    raw = model.booster_.predict(mixed, raw_score=True).reshape(5, -1).mean(1)
    assert np.abs(raw - game.score(keep)).max() <= 1e-6 * max(1.0, np.abs(raw).max())


def every_case() -> list[tuple[str, str, int]]:
    """Return data set, kind of model and background rows of each case that can be run here."""
    if not (DATA / "tab_adult").exists():
        print(f"skipped adult: there is no {DATA / 'tab_adult'}; set FIVEFOLD_DATA")
        TABLES.pop("adult", None)
    return list(product(TABLES, ("LightGBM", "network"), (1, 50)))
