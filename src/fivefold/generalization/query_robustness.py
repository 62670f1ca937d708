"""Accuracy under an attack that only asks, after Andriushchenko et al. (2020), "Square Attack"."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Bool
from torch import Generator, Tensor

from fivefold.core.chart import Cell, Chart
from fivefold.core.data import Batch, Splits, as_tensor
from fivefold.core.evidence import Axis, Evidence, Finding
from fivefold.core.interval import wilson
from fivefold.core.limits import Count, NonNegative
from fivefold.core.model import Model
from fivefold.core.probe import Probe
from fivefold.core.progress import track
from fivefold.core.randomness import fresh_seed
from fivefold.core.text import text
from fivefold.generalization.given import at_most, classes_of, majority_share, tensor_of
from fivefold.perturb.ball import Norm, ball_around
from fivefold.perturb.random_search import random_search


@dataclass(frozen=True, kw_only=True)
class QueryRobustness(Probe):
    """Share of held-out examples that are answered rightly whatever an attacker without the network asks.

    The attacker sees answers alone, so that any model can be tried. It is a weaker attacker than that of
    `RobustAccuracy`, and its number has a name of its own.

    Attributes:
        eps: How far an input may move, in units of the schema (pixels of [0, 1], or a column's scale).
        norm: Which length `eps` bounds.
        queries: Random changes tried in the last attack, per example that resists two shorter ones, of an
            eighth and of half as many.
        examples: Most examples to attack; more are sampled.
    """

    axis: ClassVar[Axis] = Axis.GENERALIZATION
    eps: NonNegative = 0.1
    norm: Norm = "linf"
    queries: Count = 200
    examples: Count = 200

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Attack the test split by asking, and count what still stands after so many queries."""
        classes_of(model.task, self)
        tensor_of(splits.test.x, self)
        batch = at_most(splits.test, self.examples, rng)
        stands = {0: model.predict(batch.x).argmax(1) == batch.y}
        seed = fresh_seed(rng)
        budgets = sorted({max(1, self.queries // 8), max(1, self.queries // 2), self.queries})
        for queries in track(budgets, "attack", len(budgets)):
            before = list(stands.values())[-1]
            stands[queries] = self._left(model, batch, before, queries, seed)
        return [self._evidence(stands, batch)]

    def _left(
        self, model: Model, batch: Batch, stands: Bool[Tensor, " batch"], queries: int, seed: int
    ) -> Bool[Tensor, " batch"]:
        """Return what still stands; each budget is an attack of its own, for its steps shrink with it."""
        rows = stands.nonzero()[:, 0]
        if not len(rows):
            return stands
        ball = ball_around(as_tensor(batch.x)[rows], model.schema.space(), self.eps, self.norm)
        found = random_search(model.predict, batch.y[rows], ball, queries=queries, seed=seed)
        return stands.index_put((rows,), ~found.is_fooled)

    def _evidence(self, stands: dict[int, Bool[Tensor, " batch"]], batch: Batch) -> Evidence:
        value, low, high = _share(stands[self.queries])
        rows: list[dict[str, Cell]] = []
        for queries, left in stands.items():
            share, at_least, at_most_ = _share(left)
            rows.append({"queries": queries, "accuracy": share, "low": at_least, "high": at_most_})
        return Evidence(
            axis=self.axis,
            name="accuracy_under_queries",
            value=value,
            low=low,
            high=high,
            n=batch.size,
            unit="fraction",
            better="higher",
            floor=majority_share(batch.y),
            ceiling=1.0,
            setting=f"{self.norm} eps {self.eps:g}, {self.queries} queries",
            interval="Wilson",
            note=text(
                "An upper bound of the true robustness: this attacker sees answers alone, and one who holds the network breaks more. Untouched, the same {n} examples are right with a share of {clean}.",
                n=batch.size,
                clean=float(stands[0].double().mean()),
            ),
            chart=Chart(
                title=text("Accuracy after attacks of up to so many queries per example"),
                kind="line",
                x="queries",
                y="accuracy",
                low="low",
                high="high",
                rows=tuple(rows),
            ),
        )


def _share(stands: Bool[Tensor, " batch"]) -> tuple[float, float, float]:
    n, hits = len(stands), int(stands.sum())
    return hits / n, *wilson(hits, n)
