"""Fresh processes with other hash seeds make the same bits: models, evidence, data and keys."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.outside import outside
from survival.folders import found, hashes
from survival.test_mutations import people

PROCESSES = [(2, 1), pytest.param(5, 2, marks=pytest.mark.slow)]
CHILD = """
import json, sys
from pathlib import Path
import torch
from fivefold.recipe import recipe_from, run
torch.set_num_threads(int(sys.argv[2]))
for told in json.loads((Path(sys.argv[1]).parent / "recipes.json").read_text()):
    run(recipe_from(told, folder=Path(sys.argv[1]).parent), Path(sys.argv[1]))
"""
UNTIMED: list[dict[str, Any]] = [
    {"use": "learning.Accuracy"},
    {"use": "learning.F1"},
    {"use": "explanation.Faithfulness", "n_rows": 8, "n_background": 4},
    {"use": "generalization.RobustAccuracy", "examples": 16, "queries": 10},
    {"use": "generalization.Calibration"},
    {"use": "efficiency.Size"},
]
SLOW = [
    {"use": "privacy.MembershipInference", "n_shadow": 4, "n_examples": 20},
    {"use": "explanation.Stability", "n_rows": 4, "n_background": 4, "n_changes": 2},
    {"use": "generalization.CorruptionAccuracy", "examples": 10, "resamples": 20},
    {"use": "generalization.WorstGroup"},
    {"use": "security.Detection", "n_examples": 10, "steps": 3},
    {"use": "security.Extraction", "n_queries": 40, "epochs": 2},
]


def recipes(probes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a recipe for a table with words, and one for images."""
    steps = [
        {"name": "plain", "use": "learning.Finetune", "epochs": 2},
        {"name": "robust", "use": "generalization.AdversarialTraining", "epochs": 1},
        {"name": "small", "use": "efficiency.Distill", "epochs": 1},
    ]
    table = {"use": "data.Table", "path": "people.csv", "target": "class"}
    images = {"use": "data.Images", "path": "images.npz"}
    parts = (("table", table, [6]), ("images", images, [16]))
    return [
        {
            "name": name,
            "preset": "none",
            "data": data,
            "model": {"use": "models.MLP", "hidden": width},
            "steps": steps if name == "table" else steps[:1],
            "probes": probes,
        }
        for name, data, width in parts
    ]


def write(folder: Path) -> None:
    """Write a table whose classes have names that only just differ, and images."""
    rows = people()
    names = {"yes": ["1", "01"], "no": ["2"]}
    told = [[*r[:2], "nsew"[i % 4], names[r[2]][i % len(names[r[2]])]] for i, r in enumerate(rows[1:])]  # fmt: skip
    lines = [["a", "b", "town", "class"], *told]
    (folder / "people.csv").write_text("\n".join(map(",".join, lines)))
    x = np.random.default_rng(0).integers(0, 256, (60, 6, 6), np.uint8)
    np.savez(folder / "images.npz", x=x, y=np.array(["row", "column", "row"] * 20))


@pytest.mark.parametrize(("n", "threads"), PROCESSES)
def test_fresh_processes_make_the_same(n, threads, tmp_path):
    write(tmp_path)
    (tmp_path / "recipes.json").write_text(json.dumps(recipes(UNTIMED + (SLOW if n > 2 else []))))
    folders = [tmp_path / f"runs{i}" for i in range(n)]
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, str(folder), str(threads)],
            env=outside(PYTHONHASHSEED=str(i + 1), OMP_NUM_THREADS=str(threads)),
            stderr=subprocess.PIPE, text=True,
        )
        for i, folder in enumerate(folders)
    ]  # fmt: skip
    try:
        for child in children:
            _, said = child.communicate(timeout=300)
            assert child.returncode == 0, said
    finally:
        for child in children:
            child.kill()
            child.wait()
    for name in ("table", "images"):
        made = [hashes(f / name) for f in folders]
        assert made[0]
        assert all(m == made[0] for m in made)
        evidence = [found(f / name) for f in folders]
        assert len(evidence[0]) >= 2 * len(UNTIMED)
        assert all(repr(e) == repr(evidence[0]) for e in evidence)
