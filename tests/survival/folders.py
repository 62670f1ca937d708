"""What a run folder says, without the times that were measured."""

import hashlib
from pathlib import Path
from typing import Any

from fivefold.core.evidence import Evidence
from fivefold.recipe import read_run

BUNDLED = "five.bundle"
UNTIMED = ("cost", "probe_cost", "created")  # what two runs of one recipe need not share


def five_steps(**changes: Any) -> dict[str, Any]:
    """Return a recipe of five steps: training, training against an attack, distillation, pruning, rounding."""
    return {
        "name": "five",
        "plugins": ["toy"],
        "preset": "none",
        "data": {"use": "toy:Points", "n": 80},
        "model": {"use": "models.MLP", "hidden": [6]},
        "steps": [
            {"name": "plain", "use": "learning.Finetune", "epochs": 3},
            {"name": "robust", "use": "generalization.AdversarialTraining", "epochs": 1},
            {"name": "small", "use": "efficiency.Distill", "epochs": 1},
            {"name": "pruned", "use": "efficiency.Prune"},
            {"name": "rounded", "use": "efficiency.Quantize"},
        ],
        "probes": [{"use": "learning.Accuracy"}, {"use": "toy:Counter"}, {"use": "toy:Blind"}],
        "comparisons": [{"use": "toy:Same"}],
        "policy": {"limits": [{"evidence": "learning.accuracy", "at_least": 0.05}]},
    } | changes


def hashes(run: Path) -> dict[str, str]:
    """Return the hash of both files of each model of a run."""
    files = [*run.glob("stages/*/model.json"), *run.glob("stages/*/model.safetensors")]
    return {f.relative_to(run).as_posix(): _hash(f) for f in sorted(files)}


def found(run: Path) -> list[tuple[str, str, object]]:
    """Return all evidence of a run, number by number; the costs of steps and probes are times and left out."""
    return [
        (stage.name, f.key, (f.value, f.low, f.high, f.n) if isinstance(f, Evidence) else str(f))
        for stage in read_run(run).stages
        for f in (*stage.findings, *stage.changes)
    ]


def is_clean(run: Path) -> bool:
    """Whether nothing half written and no unfinished work is left."""
    return not [p for p in run.rglob("*") if p.name.endswith(".part") or p.name == "unfinished"]


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
