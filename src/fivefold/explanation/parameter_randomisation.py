"""Whether attributions depend on what the network has learnt (Adebayo et al., 2018, Sanity Checks, arXiv 1810.03292)."""

from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from fivefold.core.chart import Chart
from fivefold.core.data import Splits
from fivefold.core.evidence import Axis, Evidence, Finding
from fivefold.core.interval import mean_interval
from fivefold.core.limits import Count
from fivefold.core.model import HasNet, Model, with_net
from fivefold.core.probe import Probe
from fivefold.core.progress import track
from fivefold.core.randomness import fresh_seed, spawn
from fivefold.core.text import text
from fivefold.explanation.explainer import Explainer
from fivefold.explanation.rank import rank_correlation
from fivefold.explanation.sample import QUICK, Explained, Sample, explained, sample
from fivefold.explanation.trust.redraw import redrawn, redrawn_from_the_top

KINDS = ("signed values", "absolute values")


class _Alike(NamedTuple):
    """Rank correlations: with each stage `(stages, rows)`, with each new network, and between new networks."""

    at: list[float]
    stages: Float[Tensor, "stages rows"]
    new: Float[Tensor, " draws"]
    between: float


@dataclass(frozen=True, kw_only=True)
class ParameterRandomisation(Probe):
    """How alike the attributions stay when the weights of the network are drawn anew.

    An explainer that looks at the input alone, such as an edge detector, stays at 1 and explains no
    model. Layers are drawn anew from the last to the first, on copies, with the mean square that they had;
    the number is that of networks in which all of them are. Absolute values stay more alike than signed
    ones, because large inputs move any network: compare with two networks that have nothing in common.

    Attributes:
        explainer: What makes the attributions.
        n_rows: Test rows to explain.
        n_background: Training rows that stand for "not known".
        n_stages: Steps from the trained network to a new one, for the picture.
        n_draws: New networks; the number is their mean.
    """

    axis: ClassVar[Axis] = Axis.EXPLANATION
    explainer: Explainer = QUICK
    n_rows: Count = 16
    n_background: Count = 8
    n_stages: Count = 5
    n_draws: Count = 5

    def __post_init__(self) -> None:
        if self.n_draws < 2:
            raise ValueError(
                "n_draws must be at least 2: new networks are compared with one another."
            )

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Return the rank correlation of signed and of absolute values.

        Raises:
            NotMeasurable: The model is a black box, or has no weights that can be drawn anew.
        """
        model = with_net(model, self)
        rows, seed = sample(splits, self.n_rows, self.n_background, spawn(rng)), fresh_seed(rng)
        plain = explained(self.explainer, model, rows, Generator().manual_seed(seed))
        stages = list(redrawn_from_the_top(model.net, self.n_stages, spawn(rng)))
        nets = [stages[-1][1], *(redrawn(model.net, spawn(rng)) for _ in range(self.n_draws - 1))]
        path = [
            self._values(model, net, rows, plain.target, seed)
            for _, net in track(stages, "layers drawn anew")
        ]
        new = [path[-1], *(self._values(model, n, rows, plain.target, seed) for n in nets[1:])]
        at = [share for share, _ in stages]
        found = (
            _alike(at, plain.values, path, new),
            _alike(at, plain.values.abs(), [v.abs() for v in path], [v.abs() for v in new]),
        )
        chart = _chart(found)
        return [
            self._evidence(plain, alike, kind, chart if kind == KINDS[0] else None)
            for alike, kind in zip(found, KINDS, strict=True)
        ]

    def _values(
        self, model: HasNet, net: nn.Module, rows: Sample, target: Tensor, seed: int
    ) -> Float[Tensor, "rows features"]:
        """Return the attributions of another network for the same outputs, with the same sets of features."""
        rng = Generator().manual_seed(seed)
        return explained(self.explainer, model.with_net(net), rows, rng, target).values

    def _evidence(
        self, plain: Explained, alike: _Alike, kind: str, chart: Chart | None
    ) -> Evidence:
        value, low, high = mean_interval(alike.new)
        return Evidence(
            axis=self.axis,
            name="similarity_after_randomisation",
            value=value,
            low=max(low, -1.0),
            high=min(high, 1.0),
            n=len(alike.new),
            unit="rank correlation",
            better="lower",
            floor=1.0,
            ceiling=min(alike.between, 1.0),
            setting=f"{plain.attribution.method}, {kind}",
            interval="Student t over new networks",
            note=text(
                "An explainer that does not look at the model stays at 1; explanations of two new networks "
                "reach {between} with one another; {unsure} of {all} attributions have not converged.",
                between=alike.between,
                unsure=plain.n_unsure,
                all=len(plain.values),
            ),
            chart=chart,
        )


def _alike(at: list[float], plain: Tensor, path: list[Tensor], new: list[Tensor]) -> _Alike:
    stages = torch.stack([rank_correlation(plain, v) for v in path])
    each = torch.stack([rank_correlation(plain, v).mean() for v in new])
    pairs = [float(rank_correlation(a, b).mean()) for a, b in combinations(new, 2)]
    return _Alike(at, stages, each, sum(pairs) / len(pairs))


def _chart(found: tuple[_Alike, _Alike]) -> Chart:
    x, y = "share of layers drawn anew", "rank correlation"
    rows: list[dict[str, str | float]] = []
    for kind, alike in zip(KINDS, found, strict=True):
        rows.append({x: 0.0, y: 1.0, "low": 1.0, "high": 1.0, "series": kind})
        for at, ranks in zip(alike.at, alike.stages, strict=True):
            mean, low, high = mean_interval(ranks)
            low, high = (low, high) if len(ranks) > 1 else (mean, mean)
            rows.append({x: at, y: mean, "low": low, "high": high, "series": kind})
    title = text("Likeness to the attributions of the trained network as its layers are drawn anew")
    return Chart(
        title=title,
        kind="line",
        x=x,
        y=y,
        rows=tuple(rows),
        series="series",
        low="low",
        high="high",
    )
