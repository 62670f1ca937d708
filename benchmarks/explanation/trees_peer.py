"""The other side of `trees.py`: shap or shapiq in an environment and a process of its own, asked line by line."""

import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Explain: TypeAlias = Callable[[Array], Array]


def boosted(folder: Path) -> Any:
    """Return the model from its own text format; None if it is a forest."""
    if (folder / "lightgbm.txt").exists():
        import lightgbm

        return lightgbm.Booster(model_file=str(folder / "lightgbm.txt"))
    if (folder / "xgboost.json").exists():
        import xgboost

        return xgboost.Booster(model_file=str(folder / "xgboost.json"))
    return None


def forest(folder: Path) -> list[dict[str, Array]]:
    """Return the trees of a forest from plain arrays."""
    told = np.load(folder / "forest.npz")
    names = sorted({name.partition("/")[0] for name in told}, key=int)
    return [
        {key.partition("/")[2]: told[key] for key in told if key.startswith(f"{name}/")}
        for name in names
    ]


def shap_for(folder: Path) -> Callable[[Array], Explain]:
    import shap

    told = {"input_dtype": np.float32, "tree_output": "probability"}
    model = boosted(folder) or told | {"trees": forest(folder)}

    def made(background: Array) -> Explain:
        masker = shap.maskers.Independent(background, max_samples=len(background))
        explainer = shap.TreeExplainer(model, masker, feature_perturbation="interventional")
        return lambda x: np.asarray(explainer.shap_values(x, check_additivity=False))

    return made


def shapiq_for(folder: Path) -> Callable[[Array], Explain]:
    from shapiq.tree.interventional import InterventionalTreeSHAPIQ

    model = boosted(folder)

    def made(background: Array) -> Explain:
        explainer = InterventionalTreeSHAPIQ(model, background, max_order=1, index="SV")
        return lambda x: np.array([_listed(explainer.explain_function(row)) for row in x])

    return made


def _listed(found: Any) -> Array:
    values = np.zeros(found.n_players)
    for features, value in found.dict_values.items():
        values[list(features)] = value  # the empty set changes nothing
    return values


def timed(work: Callable[[], object]) -> dict[str, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def answered(what: str, rows: Array, background: Array, made: Any, explain: Explain) -> Any:
    """Answer one line: `explain` (made already), `whole` (made anew), or the `values`."""
    if what == "explain":
        return timed(lambda: explain(rows))
    if what == "whole":
        return timed(lambda: made(background)(rows))
    return explain(rows).reshape(len(rows), rows.shape[1], -1)[:, :, -1].tolist()


def main(library: str, folder: Path) -> None:
    rows, background = np.load(folder / "rows.npy"), np.load(folder / "background.npy")
    made = {"shap": shap_for, "shapiq": shapiq_for}[library](folder)
    explain = made(background)
    print(json.dumps({"version": version(library)}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        told = answered(asked["what"], rows[: asked["n"]], background, made, explain)
        print(json.dumps(told), flush=True)


main(sys.argv[1], Path(sys.argv[2]))
