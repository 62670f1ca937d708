"""How much of a model a person could read instead (surrogate fidelity; Guidotti et al., 2018)."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Generator, Tensor

from fivefold.core.chart import Chart
from fivefold.core.data import Splits, as_tensor
from fivefold.core.evidence import Axis, Evidence, Finding
from fivefold.core.limits import Count
from fivefold.core.model import Model
from fivefold.core.probe import Probe
from fivefold.core.randomness import spawn
from fivefold.core.text import text
from fivefold.explanation.glass_box.additive import SurrogateGAM
from fivefold.explanation.glass_box.surrogate import Surrogate, surrogate
from fivefold.explanation.glass_box.tree import SurrogateTree
from fivefold.explanation.sample import sample

MOST_POINTS = 400
MODEL, GLASS = "score of the model", "score of the glass box"


@dataclass(frozen=True, kw_only=True)
class GlassBox(Probe):
    """How well a shallow tree, and a sum of one curve per column, stand for the model on unseen rows.

    Attributes:
        tree: The tree.
        additive: The sum of curves.
        n_fitted: Training rows that both are fitted to; the model's answers count, not the targets.
        n_judged: Test rows that both are judged on.
    """

    axis: ClassVar[Axis] = Axis.EXPLANATION
    tree: SurrogateTree = SurrogateTree()
    additive: SurrogateGAM = SurrogateGAM()
    n_fitted: Count = 4000
    n_judged: Count = 1000

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Return fidelity, and agreement of the chosen classes, of each form.

        Raises:
            NotMeasurable: The inputs are no table, or the model always answers the same.
        """
        rows = sample(splits, self.n_judged, self.n_fitted, spawn(rng))
        found: list[Finding] = []
        for form in (self.tree, self.additive):
            made = surrogate(model, rows.background, as_tensor(rows.x), form, rng=spawn(rng))
            found += [_fidelity(made), *_agreement(made)]
        return found


def _fidelity(made: Surrogate) -> Evidence:
    value, low, high, floor = made.fidelity
    return Evidence(
        axis=GlassBox.axis,
        name="surrogate_fidelity",
        value=value,
        low=low,
        high=high,
        n=made.n_judged,
        unit="fraction",
        better="higher",
        floor=floor,
        ceiling=1.0,
        setting=made.name.words(),
        interval="bootstrap over rows",
        note=text(
            "Share of the variance of the model's scores on unseen rows that something readable tells; fitted to its answers on {n} rows.",
            n=made.n_fitted,
        ),
        chart=_chart(made),
    )


def _agreement(made: Surrogate) -> list[Finding]:
    if made.agreement is None:
        return []
    value, low, high, floor = made.agreement
    return [
        Evidence(
            axis=GlassBox.axis,
            name="surrogate_agreement",
            value=value,
            low=low,
            high=high,
            n=made.n_judged,
            unit="fraction",
            better="higher",
            floor=floor,
            ceiling=1.0,
            setting=made.name.words(),
            interval="Wilson",
            note=text("How often something readable chooses the class that the model chooses."),
        )
    ]


def _chart(made: Surrogate) -> Chart:
    at: Tensor = made.scores[:MOST_POINTS, -1]
    pairs = zip(at.tolist(), made.told[:MOST_POINTS, -1].tolist(), strict=True)
    title = text("A readable model beside the model ({name}): score of {output}", name=made.name.words(), output=made.outputs[-1])  # fmt: skip
    rows = tuple({MODEL: a, GLASS: b} for a, b in pairs)
    return Chart(title=title, kind="points", x=MODEL, y=GLASS, rows=rows, diagonal=True)
