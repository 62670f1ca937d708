"""The other side of `trees.py`: shap in an environment and a process of its own, asked line by line."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import shap


def model_from(folder: Path) -> Any:
    """Return the model from its own text format, or a forest from plain arrays."""
    if (folder / "lightgbm.txt").exists():
        import lightgbm

        return lightgbm.Booster(model_file=str(folder / "lightgbm.txt"))
    if (folder / "xgboost.json").exists():
        import xgboost

        return xgboost.Booster(model_file=str(folder / "xgboost.json"))
    told = np.load(folder / "forest.npz")
    names = {name.partition("/")[0] for name in told}
    trees = [
        {key.partition("/")[2]: told[key] for key in told if key.startswith(f"{name}/")}
        for name in sorted(names, key=int)
    ]
    return {"trees": trees, "input_dtype": np.float32, "tree_output": "probability"}


def timed(work: Any) -> dict[str, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def main(folder: Path) -> None:
    """Answer each line: `values`, `explain` (made already) or `whole` (made anew), with how many rows."""
    rows, background = np.load(folder / "rows.npy"), np.load(folder / "background.npy")
    model = model_from(folder)

    def made() -> Any:
        masker = shap.maskers.Independent(background, max_samples=len(background))
        return shap.TreeExplainer(model, masker, feature_perturbation="interventional")

    explainer = made()
    print(json.dumps({"version": shap.__version__}), flush=True)
    for line in sys.stdin:
        what, n = line.split()
        some = rows[: int(n)]
        if what == "values":
            found = np.asarray(explainer.shap_values(some, check_additivity=False))
            np.save(folder / "values.npy", found.reshape(len(some), rows.shape[1], -1))
            answer = {}
        elif what == "explain":
            answer = timed(lambda: explainer.shap_values(some, check_additivity=False))  # noqa: B023 - called at once
        else:
            answer = timed(lambda: made().shap_values(some, check_additivity=False))  # noqa: B023 - called at once
        print(json.dumps(answer), flush=True)


main(Path(sys.argv[1]))
