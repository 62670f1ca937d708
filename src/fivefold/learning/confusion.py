"""Which class is taken for which."""

from collections.abc import Sequence

from jaxtyping import Float, Int64
from torch import Tensor

from fivefold.core.chart import Chart
from fivefold.core.text import text

MOST_CLASSES = 20  # more would be a picture of dots


def confusion(
    truth: Int64[Tensor, " batch"], answer: Int64[Tensor, " batch"], n_classes: int
) -> Int64[Tensor, "class class"]:
    """Return how often each true class (row) was answered as each class (column)."""
    cells = (truth * n_classes + answer).bincount(minlength=n_classes**2)
    return cells.view(n_classes, n_classes)


def macro_f1(counts: Float[Tensor, "*draw class class"]) -> Float[Tensor, "*draw"]:
    """Return the mean F1 of the classes that occur, as truth or as answer."""
    hits = counts.diagonal(dim1=-2, dim2=-1)
    both = counts.sum(-1) + counts.sum(-2)
    return (2 * hits / both).nanmean(-1)  # 0 / 0 for a class that does not occur


def picture(counts: Int64[Tensor, "class class"], names: Sequence[str]) -> Chart | None:
    """Return the share of each true class that was answered as each class; None for many classes."""
    if len(names) > MOST_CLASSES:
        return None
    share = counts / counts.sum(1, keepdim=True).clamp(min=1)
    rows = tuple(
        {"answered": answered, "true class": true, "value": round(float(share[i, j]), 4)}
        for i, true in enumerate(names)
        for j, answered in enumerate(names)
    )
    return Chart(
        title=text("Share of each true class by what was answered"),
        kind="heat",
        x="answered",
        y="true class",
        rows=rows,
    )
