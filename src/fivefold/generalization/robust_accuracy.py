"""Accuracy under attack, after Croce and Hein (2020), "Reliable evaluation of adversarial robustness"."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Generator

from fivefold.core.chart import Cell, Chart
from fivefold.core.data import Batch, Splits
from fivefold.core.evidence import Axis, Evidence, Finding
from fivefold.core.interval import wilson
from fivefold.core.limits import Count, NonNegative
from fivefold.core.model import HasNet, Model, with_net
from fivefold.core.probe import Probe
from fivefold.core.progress import track
from fivefold.core.randomness import fresh_seed
from fivefold.core.text import Text, text
from fivefold.generalization.given import at_most, classes_of, majority_share, tensor_of
from fivefold.generalization.survey import Attacker, Fall, falls, vanished_share
from fivefold.models.torch import device_of
from fivefold.perturb.ball import Norm

CURVE = (0.5, 1.0, 2.0)  # radii of the picture, in multiples of eps
CONSIDERABLE = 0.1


@dataclass(frozen=True, kw_only=True)
class RobustAccuracy(Probe):
    """Share of held-out examples that are answered rightly whatever the attacker tries within `eps`.

    The attacker knows the network. It climbs cross-entropy, then the margin of each of the likeliest wrong
    classes; what resists is tried with one large step and with random changes that need no gradient.

    Attributes:
        eps: How far an input may move, in units of the schema (pixels of [0, 1], or a column's scale).
        norm: Which length `eps` bounds.
        steps: Gradient steps of each run.
        restarts: Times all runs are repeated from new random starts.
        queries: Random changes tried per example that resists.
        examples: Most examples to attack; more are sampled.
    """

    axis: ClassVar[Axis] = Axis.GENERALIZATION
    eps: NonNegative = 0.1
    norm: Norm = "linf"
    steps: Count = 20
    restarts: Count = 1
    queries: Count = 100
    examples: Count = 500

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Attack the test split; return clean and robust accuracy of the same examples."""
        classes_of(model.task, self)
        model = with_net(model, self)
        tensor_of(splits.test.x, self)
        batch = at_most(splits.test, self.examples, rng).to(device_of(model.net))
        is_wrong = model.predict(batch.x).argmax(1).to(batch.y.device) != batch.y
        clean = Fall(0.0, is_wrong, 0, 0, 0, 0, batch.size)
        attacker = Attacker(
            norm=self.norm, steps=self.steps, restarts=self.restarts, queries=self.queries
        )
        radii = sorted({self.eps * share for share in CURVE})
        space, seed = model.schema.space(), fresh_seed(rng)
        found = track(falls(model.net, batch, space, radii, attacker, seed), "attack", len(radii))
        curve = [clean, *found]
        return [self._robust(model, curve, batch), self._clean(clean, batch)]

    def _clean(self, clean: Fall, batch: Batch) -> Evidence:
        value, low, high = _standing(clean)
        return Evidence(
            axis=self.axis,
            name="clean_accuracy",
            value=value,
            low=low,
            high=high,
            n=batch.size,
            unit="fraction",
            better="higher",
            floor=majority_share(batch.y),
            ceiling=1.0,
            interval="Wilson",
            note=text("The same examples as under attack, untouched."),
        )

    def _robust(self, model: HasNet, curve: list[Fall], batch: Batch) -> Evidence:
        fall = next(f for f in reversed(curve) if f.eps <= self.eps)
        value, low, high = _standing(fall)
        right = batch.take(~curve[0].is_fooled)
        return Evidence(
            axis=self.axis,
            name="robust_accuracy",
            value=value,
            low=low,
            high=high,
            n=batch.size,
            unit="fraction",
            better="higher",
            floor=majority_share(batch.y),
            ceiling=1.0,
            setting=f"{self.norm} eps {self.eps:g}",
            interval="Wilson",
            note=_note(curve, vanished_share(model.net, right, model.schema.space()), batch.size),
            chart=_picture(curve),
        )


def _standing(fall: Fall) -> tuple[float, float, float]:
    """Return the share that has not fallen, with its bounds."""
    n, hits = len(fall.is_fooled), int((~fall.is_fooled).sum())
    return hits / n, *wilson(hits, n)


def _note(curve: list[Fall], vanished: float, n: int) -> Text:
    each = round(sum(f.evaluations for f in curve) / n)
    by_gradient, by_step, by_search = (
        sum(getattr(f, name) for f in curve) for name in ("by_gradient", "by_step", "by_search")
    )
    if vanished > CONSIDERABLE or by_step + by_search > CONSIDERABLE * by_gradient + 1:
        return text(
            "Gradients are masked, so the true robustness may be far lower: {vanished} % of the gradients vanish; of what gradient steps missed, one large step broke {by_step} and random search {by_search} of the {searched} it tried, over all radii. Every break counts. {n} examples, {each} evaluations of the network per example.",
            vanished=round(100 * vanished),
            by_step=by_step,
            by_search=by_search,
            searched=sum(f.n_searched for f in curve),
            n=n,
            each=each,
        )
    return text(
        "An upper bound of the true robustness: an attack that fails proves nothing. {n} examples, {each} evaluations of the network per example. Gradients show no sign of being masked: other attacks broke {others} more examples, which count.",
        n=n,
        each=each,
        others=by_step + by_search,
    )


def _picture(curve: list[Fall]) -> Chart:
    rows: list[dict[str, Cell]] = []
    for fall in curve:
        value, low, high = _standing(fall)
        rows.append({"eps": fall.eps, "accuracy": value, "low": low, "high": high})
    return Chart(
        title=text("Accuracy under attack"),
        kind="line",
        x="eps",
        y="accuracy",
        low="low",
        high="high",
        rows=tuple(rows),
    )
