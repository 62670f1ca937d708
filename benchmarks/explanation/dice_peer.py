"""The other side of `counterfactual.py`: dice-ml in an environment and a process of its own."""

import contextlib
import io
import json
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dice_ml
import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file
from sklearn.ensemble import RandomForestClassifier
from torch import nn

warnings.filterwarnings("ignore")


class TooLate(Exception):
    """A second has passed."""


class Asked:
    """The model as DiCE wants it: a frame of the user's columns in, probabilities out."""

    def __init__(self, told: dict[str, Any], given: dict[str, torch.Tensor]) -> None:
        self.columns, self.classes_ = told["columns"], np.arange(2)
        if told["model"] == "forest":
            x, y = given["train"].numpy(), given["target"].numpy()
            self.forest = RandomForestClassifier(100, random_state=0).fit(x, y)
        else:
            self.net = network(told, given)

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        x = raw(frame, self.columns)
        if hasattr(self, "forest"):
            return self.forest.predict_proba(x)
        with torch.no_grad():
            return self.net(torch.from_numpy(x)).softmax(-1).double().numpy()

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        return self.predict_proba(frame).argmax(1)


class Prepare(nn.Module):
    """Scale numbers, spread categories."""

    def __init__(self, columns: list[dict[str, Any]]) -> None:
        super().__init__()
        self.columns = columns

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = [
            (x[:, i] - c["center"])[:, None] / c["scale"]
            for i, c in enumerate(self.columns)
            if not c["categories"]
        ]
        parts += [
            (x[:, i, None] == torch.arange(len(c["categories"]))).float()
            for i, c in enumerate(self.columns)
            if c["categories"]
        ]
        return torch.cat(parts, dim=1)


def network(told: dict[str, Any], given: dict[str, torch.Tensor]) -> nn.Module:
    made: list[nn.Module] = [Prepare(told["columns"])]
    n = sum(k.endswith(".weight") for k in given)
    for i in range(n):
        weight = given[f"{i}.weight"]
        layer = nn.Linear(weight.shape[1], weight.shape[0])
        layer.load_state_dict({"weight": weight, "bias": given[f"{i}.bias"]})
        made += [layer, *([nn.ReLU()] if i < n - 1 else [])]
    return nn.Sequential(*made).eval()


def framed(x: np.ndarray, columns: list[dict[str, Any]]) -> pd.DataFrame:
    made: dict[str, Any] = {}
    for i, c in enumerate(columns):
        if c["categories"]:
            made[c["name"]] = [c["categories"][int(v)] for v in x[:, i]]
        else:
            made[c["name"]] = x[:, i].astype(int if c["kind"] == "integer" else float)
    return pd.DataFrame(made)


def raw(frame: pd.DataFrame, columns: list[dict[str, Any]]) -> np.ndarray:
    made = []
    for c in columns:
        told = frame[c["name"]]
        if c["categories"]:
            made.append([c["categories"].index(str(v)) for v in told])
        else:
            made.append(told.astype(float).to_numpy())
    return np.stack([np.asarray(m, dtype=np.float32) for m in made], axis=1)


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    def ring(*_: object) -> None:
        raise TooLate

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def sought(explainer: Any, row: pd.DataFrame, told: dict[str, Any]) -> list[list[float]]:
    free = [c["name"] for c in told["columns"] if not c["is_immutable"]]
    ranges = {
        c["name"]: [c["low"], c["high"]]
        for c in told["columns"]
        if not c["categories"] and not c["is_immutable"]
    }
    settings: dict[str, Any] = {
        "verbose": False,
        "features_to_vary": free,
        "permitted_range": ranges,
    }
    if told["method"] == "random":
        settings["random_seed"] = 0
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        found = explainer.generate_counterfactuals(row, told["n"], "opposite", **settings)
    frame = found.cf_examples_list[0].final_cfs_df
    if frame is None or not len(frame):
        return []
    return raw(frame, told["columns"]).astype(float).tolist()


def main() -> None:
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    told = json.loads((folder / "asked.json").read_text())
    given = load_file(folder / "given.safetensors")
    asked, columns = Asked(told, given), told["columns"]
    train = framed(given["train"].numpy(), columns).assign(target=given["target"].numpy())
    numbers = [c["name"] for c in columns if not c["categories"]]
    data = dice_ml.Data(dataframe=train, continuous_features=numbers, outcome_name="target")
    model = dice_ml.Model(model=asked, backend="sklearn", model_type="classifier")
    rows = framed(given["x"].numpy(), columns)
    found: dict[str, Any] = {"version": version("dice-ml")}
    found["probabilities"] = asked.predict_proba(rows).tolist()
    for method in ("random", "genetic", "kdtree"):
        np.random.seed(0)  # noqa: NPY002 - dice draws from the global state
        explainer = dice_ml.Dice(data, model, method=method)
        answers, seconds = [], []
        for i in range(len(rows)):
            start = time.perf_counter()
            try:
                with at_most(told["seconds"]):
                    answers.append(sought(explainer, rows[i : i + 1], {**told, "method": method}))
            except TooLate:
                answers.append([])
            except Exception as error:
                print(
                    f"{method}, row {i}: {type(error).__name__} {str(error)[:80]}", file=sys.stderr
                )
                answers.append([])
            seconds.append(time.perf_counter() - start)
        found[method] = {"answers": answers, "seconds": seconds}
    (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
