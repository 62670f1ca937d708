"""The area under the ROC curve, with Newcombe's (2006) interval."""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from fivefold.core.chart import Chart
from fivefold.core.data import Splits
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Axis, Evidence, Finding
from fivefold.core.interval import Z95
from fivefold.core.model import Model
from fivefold.core.probe import Probe
from fivefold.core.text import Text, text
from fivefold.learning.asked import classes

N_POINTS = 100  # points of a drawn curve
MOST_CURVES = 10


class Area(NamedTuple):
    """One class against the rest."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class AUC(Probe):
    """Chance that an example of a class scores higher than one of another, averaged over the classes."""

    axis: ClassVar[Axis] = Axis.LEARNING
    tasks: ClassVar[tuple[str, ...]] = ("classification",)

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Rank the test split by the score of each class.

        Raises:
            NotMeasurable: The task has no classes, or all test examples are of one class.
        """
        outputs, truth = classes(model, splits, self)
        names, score = model.task.classes, log_odds(outputs)
        judged = [c for c in range(len(names)) if 0 < int((truth == c).sum()) < len(truth)]
        if not judged:
            raise NotMeasurable(
                "All test examples are of one class.", mend="Hold out examples of every class."
            )
        if len(names) == 2:
            judged = [1]  # the other class gives the same area
        areas = [area(score[:, c], truth == c) for c in judged]
        value, low, high = torch.tensor(areas, dtype=torch.float64).mean(0).tolist()
        return [
            Evidence(
                axis=self.axis,
                name="auc",
                value=value,
                low=low,
                high=high,
                n=len(truth),
                unit="fraction",
                better="higher",
                floor=0.5,
                ceiling=1.0,
                interval="Newcombe"
                if len(judged) == 1
                else "Newcombe, mean of the classes' bounds",
                note=_note([n for c, n in enumerate(names) if not (truth == c).any()]),
                chart=_curves(score, truth, [(c, names[c]) for c in judged[:MOST_CURVES]]),
            )
        ]


def log_odds(outputs: Float[Tensor, "batch classes"]) -> Float[Tensor, "batch classes"]:
    """Return log p / (1 - p) of each class in float64: probabilities near 1 would tie.

    Rounded, so that equal scores stay equal in whatever order the other classes were summed.
    """
    logits = outputs.double()
    places = torch.arange(logits.shape[1])
    odds = [logits[:, c] - logits[:, places != c].logsumexp(-1) for c in places]
    return torch.stack(odds, 1).round(decimals=9)


def area(score: Float[Tensor, " batch"], member: Bool[Tensor, " batch"]) -> Area:
    """Return the area for `member` against the rest, with its 95 % interval; ties count half."""
    groups = score.unique(return_inverse=True)[1]
    inside = groups[member].bincount(minlength=int(groups.max()) + 1).double()
    outside = groups[~member].bincount(minlength=len(inside)).double()
    below = outside.cumsum(0) - outside / 2
    m, n = int(inside.sum()), int(outside.sum())
    value = float((inside * below).sum()) / (m * n)
    return Area(value, *newcombe(value, m, n))


def newcombe(value: float, m: int, n: int) -> tuple[float, float]:
    """Return where the observed area is 1.96 standard errors from the true one (method 5).

    The error is taken at the true area, as Wilson does, so that an area of 1 is not called certain.
    """

    def is_inside(true: float) -> bool:
        spread = (m + n) / 2 - 1
        tail = (1 - true) / (2 - true) + true / (1 + true)
        return abs(value - true) <= Z95 * sqrt(true * (1 - true) * (1 + spread * tail) / (m * n))

    return _edge(value, 0.0, is_inside), _edge(value, 1.0, is_inside)


def _edge(inside: float, outside: float, is_inside: Callable[[float], bool]) -> float:
    for _ in range(60):
        middle = (inside + outside) / 2
        if is_inside(middle):
            inside = middle
        else:
            outside = middle
    return inside


def _note(absent: list[str]) -> Text:
    if not absent:
        return Text("")
    return text(
        "Classes without test examples are left out: {names}.", names=", ".join(absent)[:200]
    )


def _curves(
    score: Float[Tensor, "batch classes"], truth: Tensor, judged: list[tuple[int, str]]
) -> Chart:
    rows = [row for c, name in judged for row in _curve(score[:, c], truth == c, name)]
    return Chart(
        title=text("ROC curve"),
        kind="line",
        x="false positive rate",
        y="true positive rate",
        series="class",
        rows=tuple(rows),
        diagonal=True,
    )


def _curve(
    score: Float[Tensor, " batch"], member: Bool[Tensor, " batch"], name: str
) -> list[dict[str, str | float]]:
    """Return some points of the curve, ends included; tied scores are one step."""
    ordered = score.sort(descending=True)
    last = torch.cat([ordered.values[1:] != ordered.values[:-1], torch.tensor([True])])
    hits = member[ordered.indices].double().cumsum(0)[last]
    alarms = (~member)[ordered.indices].double().cumsum(0)[last]
    chosen = torch.linspace(0, len(hits) - 1, min(N_POINTS, len(hits))).round().long()
    points = torch.stack([alarms / alarms[-1], hits / hits[-1]], 1)[chosen]
    return [
        {"false positive rate": round(x, 4), "true positive rate": round(y, 4), "class": name}
        for x, y in [(0.0, 0.0), *points.tolist()]
    ]
