"""Pictures of which features matter over many examples."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.core.chart import Chart
from fivefold.core.interval import mean_interval
from fivefold.core.text import Text, text
from fivefold.explanation.attribution import Attribution
from fivefold.explanation.pictures.labels import is_ordered, raw_values
from fivefold.explanation.pictures.view import View, largest, of_all
from fivefold.perturb import Groups

MOST_BARS, MOST_STRIPS = 12, 8
SIZE, FEATURE = "mean absolute attribution", "feature"
ATTRIBUTION, VALUE = "attribution", "value of the feature"
LEVELS = ("low", "middle", "high", "no order", "missing")


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


def strip_chart(found: Attribution) -> Chart:
    """Return every attribution as a point, coloured by whether the feature was low or high (Lundberg et al., 2020).

    Of the output that most rows score highest, so that right means the same in every row.
    """
    view = of_all(found, "", "en")
    values, raw = view.values, raw_values(view)
    rows = [
        {ATTRIBUTION: float(v), FEATURE: found.names[i], VALUE: level}
        for i in largest(values.abs().mean(0), MOST_STRIPS)
        for v, level in zip(values[:, i], _levels(view, raw, i), strict=True)
    ]
    title = _strip_title(found, found.outputs[view.output])
    return Chart(
        title=title, kind="points", x=ATTRIBUTION, y=FEATURE, series=VALUE, rows=tuple(rows)
    )


def _strip_title(found: Attribution, output: str) -> Text:
    """Return what the strip shows, and how much of it has not converged, which no colour says."""
    unit, unsure, n = str(found.unit), int((~found.is_converged).sum()), len(found.values)
    about = {"output": output} if output else {}
    doubt = {"unsure": unsure, "all": n} if unsure else {}
    template = (
        text(
            "Attribution of each row to {output} ({unit}) – ⚠ {unsure} of {all} rows not converged"
        )
        if output and unsure
        else text("Attribution of each row to {output} ({unit})")
        if output
        else text("Attribution of each row ({unit}) – ⚠ {unsure} of {all} rows not converged")
        if unsure
        else text("Attribution of each row ({unit})")
    )
    return Text(template.template, {"unit": unit, **about, **doubt})


def _levels(view: View, raw: Tensor | None, feature: int) -> list[str]:
    """Return in which third of its values the feature was in each row, where they lie in an order."""
    if raw is None or not is_ordered(view, feature):
        return [LEVELS[3]] * len(view.rows)
    values = raw[:, feature].contiguous()
    known = values[~values.isnan()]
    cuts = (
        known.quantile(torch.tensor([1 / 3, 2 / 3], dtype=known.dtype))
        if len(known)
        else torch.zeros(2)
    )
    place = torch.bucketize(values, cuts)
    return [
        LEVELS[4] if v != v else LEVELS[p]
        for v, p in zip(values.tolist(), place.tolist(), strict=True)
    ]


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
