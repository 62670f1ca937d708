"""A small recipe that a test may change."""

from typing import Any


def table(**changes: Any) -> dict[str, Any]:
    """Return a recipe as a table: two branches from the start, one of them two steps long."""
    return {
        "name": "toy",
        "plugins": ["toy"],
        "preset": "none",
        "data": {"use": "toy:Points"},
        "model": {"use": "models.MLP", "hidden": [8]},
        "steps": [
            {"name": "plain", "use": "learning.Finetune", "epochs": 30},
            {"name": "lazy", "use": "toy:Sleepy", "tag": "lazy"},
            {"name": "other", "after": "start", "use": "toy:Sleepy", "tag": "other"},
        ],
        "probes": [{"use": "learning.Accuracy"}, {"use": "toy:Counter"}, {"use": "toy:Blind"}],
        "comparisons": [{"use": "toy:Same"}],
    } | changes
