"""Pictures of which features matter over many examples."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.core.chart import Chart
from fivefold.core.interval import mean_interval
from fivefold.core.text import Text
from fivefold.perturb import Groups

MOST_BARS = 12
SIZE, FEATURE = "mean absolute attribution", "feature"


def importance_chart(
    title: Text, values: Mapping[str, Float[Tensor, "rows features"]], groups: Groups
) -> Chart:
    """Return bars of the mean absolute attribution with 95 % intervals, one colour per entry of `values`.

    The features are those that matter most over all entries; for an image, a map per entry.
    """
    if len(groups.shape) == 2:
        return heat_chart(title, {k: v.abs().mean(0) for k, v in values.items()}, groups, "series")
    over_all = torch.stack([v.abs().mean(0) for v in values.values()]).mean(0)
    order = over_all.sort(descending=True, stable=True).indices[:MOST_BARS].tolist()
    rows = [
        _bar(groups.names[i], value[:, i].abs(), name)
        for i in order
        for name, value in values.items()
    ]
    series = "series" if len(values) > 1 else ""
    return Chart(
        title=title,
        kind="bar",
        x=FEATURE,
        y=SIZE,
        rows=tuple(rows),
        series=series,
        low="low",
        high="high",
    )


def heat_chart(
    title: Text, maps: Mapping[str, Float[Tensor, " features"]], groups: Groups, panel: str
) -> Chart:
    """Return one map of patches per entry of `maps`."""
    rows = [
        {"row": i, "column": j, "value": float(value), panel: name}
        for name, flat in maps.items()
        for i, line in enumerate(flat.reshape(groups.shape))
        for j, value in enumerate(line)
    ]
    return Chart(title=title, kind="heat", x="column", y="row", rows=tuple(rows), panel=panel)


def by_class(
    values: Float[Tensor, "rows features"], target: Tensor, classes: Sequence[str]
) -> dict[str, Tensor]:
    """Return the mean attribution of the examples of each class that has any."""
    return {
        name: values[target == i].mean(0) for i, name in enumerate(classes) if (target == i).any()
    }


def _bar(feature: str, sizes: Float[Tensor, " rows"], name: str) -> dict[str, str | float]:
    mean, low, high = mean_interval(sizes)
    if len(sizes) < 2:
        low = high = mean
    return {FEATURE: feature, SIZE: mean, "low": max(low, 0.0), "high": high, "series": name}
