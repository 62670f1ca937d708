"""Whether the features called important are (Samek et al., 2017; Petsiuk, Das and Saenko, 2018)."""

from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Generator, Tensor

from fivefold.core.chart import Cell, Chart
from fivefold.core.data import Splits
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Axis, Evidence, Finding
from fivefold.core.interval import mean_interval
from fivefold.core.limits import Count
from fivefold.core.model import Model
from fivefold.core.probe import Probe
from fivefold.core.randomness import spawn
from fivefold.core.text import Text, text
from fivefold.explanation.curve import Curves, curves
from fivefold.explanation.explainer import Explainer
from fivefold.explanation.sample import QUICK, Explained, explained, sample
from fivefold.explanation.trust.ratio import ratio_interval


@dataclass(frozen=True, kw_only=True)
class Faithfulness(Probe):
    """Areas of the insertion and the deletion curve, and between them, as shares of how far the answer can move.

    Between them lies 1 if one feature alone decides and is called most important; 0 for features in
    random order; less than 0 if important features are called unimportant. The area of a curve is its
    mean height above the row's lowest answer, and is to be read beside that of random orders.

    Attributes:
        explainer: What calls features important.
        n_rows: Test rows to explain.
        n_background: Training rows that hidden features are taken from.
        n_random: Random orders per row to compare with.
        n_points: Points of a curve.
    """

    axis: ClassVar[Axis] = Axis.EXPLANATION
    explainer: Explainer = QUICK
    n_rows: Count = 40
    n_background: Count = 16
    n_random: Count = 4
    n_points: Count = 15

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Return the area between the curves, with a picture of them, and the area of each.

        Raises:
            NotMeasurable: The answers do not depend on any feature.
        """
        rows = sample(splits, self.n_rows, self.n_background, spawn(rng))
        found = explained(self.explainer, model, rows, spawn(rng))
        drawn = curves(model, found, rows, self.n_random, self.n_points, spawn(rng))
        spread, (shown, hidden, chance) = drawn.spread(), drawn.areas()
        if float(spread.sum()) < 1e-9:
            raise NotMeasurable("The answers stay the same whichever features are hidden.")

        value, low, high = ratio_interval(shown - hidden, spread, spawn(rng), (-1.0, 1.0))
        insertion, deletion = (
            (a.sum() / spread.sum()).item() for a in (shown - chance, chance - hidden)
        )
        return [
            Evidence(
                axis=self.axis,
                name="faithfulness",
                value=value,
                low=low,
                high=high,
                n=len(spread),
                unit="fraction",
                better="higher",
                floor=0.0,
                ceiling=1.0,
                setting=found.attribution.method,
                interval="bootstrap over rows",
                note=_note(found, insertion, deletion),
                chart=_chart(model, drawn),
            ),
            *_areas(drawn, found.attribution.method, spawn(rng)),
        ]


def _areas(drawn: Curves, method: str, rng: Generator) -> list[Evidence]:
    spread, (shown, hidden, chance) = drawn.spread(), drawn.levels()
    insertion = _area("insertion_area", shown, chance, spread, method, rng)
    deletion = _area("deletion_area", hidden, chance, spread, method, rng)
    note = text(
        "By chance is meant: random orders of the features, {n} for each row.",
        n=drawn.by_chance.shape[1],
    )
    return [
        replace(insertion, better="higher", ceiling=1.0, note=note),
        replace(deletion, note=note),
    ]


def _area(
    name: str, level: Tensor, chance: Tensor, spread: Tensor, method: str, rng: Generator
) -> Evidence:
    value, low, high = ratio_interval(level, spread, rng, (0.0, 1.0))
    return Evidence(
        axis=Axis.EXPLANATION,
        name=name,
        value=value,
        low=low,
        high=high,
        n=len(spread),
        unit="fraction",
        better="lower",
        floor=float(chance.sum() / spread.sum()),
        ceiling=0.0,
        setting=method,
        interval="bootstrap over rows",
    )


def _note(found: Explained, insertion: float, deletion: float) -> Text:
    return text(
        "Better than a random order by {insertion} when features are shown and by {deletion} when they "
        "are hidden; {unsure} of {n} attributions have not converged.",
        insertion=insertion,
        deletion=deletion,
        unsure=found.n_unsure,
        n=len(found.values),
    )


def _chart(model: Model, drawn: Curves) -> Chart:
    is_class = model.task.is_classification
    y = "probability" if is_class else "closeness"
    title = (
        text(
            "Probability of the predicted class as features are shown or hidden, most important first"
        )
        if is_class
        else text(
            "Closeness to the full prediction as features are shown or hidden, most important first"
        )
    )
    by_chance = drawn.by_chance.mean(1)
    lines = {
        "insertion": drawn.shown,
        "deletion": drawn.hidden,
        "insertion, random order": by_chance,
        "deletion, random order": by_chance.flip(1),
    }
    rows = [
        _point(float(at), curve[:, i], y) | {"order": name}
        for name, curve in lines.items()
        for i, at in enumerate(drawn.at)
    ]
    return Chart(
        title=title,
        kind="line",
        x="share of features",
        y=y,
        rows=tuple(rows),
        series="order",
        low="low",
        high="high",
    )


def _point(at: float, values: Tensor, y: str) -> dict[str, Cell]:
    mean, low, high = mean_interval(values)
    if len(values) < 2:
        low = high = mean
    return {"share of features": at, y: mean, "low": low, "high": high}
