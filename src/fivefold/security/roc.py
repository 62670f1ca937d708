"""Receiver operating characteristics as a picture: what is noticed against what is alarmed for nothing."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.core.chart import Cell, Chart
from fivefold.core.text import text

MOST_POINTS = 100  # per line


def roc(clean: Float[Tensor, " n"], attacks: Mapping[str, Float[Tensor, " k"]]) -> Chart | None:
    """Return one line per kind of attack that has any examples; None if none has."""
    rows = [
        row for name, scores in attacks.items() if len(scores) for row in _line(name, clean, scores)
    ]
    if not rows:
        return None
    return Chart(
        title=text("Attacks noticed against false alarms"),
        kind="line",
        x="false positive rate",
        y="true positive rate",
        series="attacker",
        rows=tuple(rows),
        diagonal=True,
    )


def _line(
    name: str, clean: Float[Tensor, " n"], scores: Float[Tensor, " k"]
) -> list[Mapping[str, Cell]]:
    rates = torch.linspace(0, 1, min(MOST_POINTS, len(clean) + 1), dtype=torch.float64)
    thresholds = clean.double().quantile(1 - rates, interpolation="lower")
    points = [(0.0, 0.0), *((share(clean, t), share(scores, t)) for t in thresholds.tolist())]
    return [
        {"attacker": name, "false positive rate": a, "true positive rate": b}
        for a, b in sorted({*points, (1.0, 1.0)})
    ]


def share(scores: Float[Tensor, " n"], threshold: float) -> float:
    """Return the share of `scores` above `threshold`."""
    return float((scores > threshold).double().mean())
