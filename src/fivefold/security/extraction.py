"""How faithfully a thief copies a model by asking it (Tramer et al., 2016; Orekondy et al., 2019)."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import ClassVar, Literal, TypeAlias

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from fivefold.core.chart import Cell, Chart
from fivefold.core.data import Batch, Splits, as_tensor, shuffled
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Axis, Evidence, Finding
from fivefold.core.interval import wilson
from fivefold.core.limits import Count
from fivefold.core.loss import loss_of
from fivefold.core.model import Architecture, Model
from fivefold.core.probe import Probe
from fivefold.core.randomness import spawn
from fivefold.core.text import Text, text
from fivefold.models import MLP
from fivefold.security.queries import near, uniform
from fivefold.training.fit import fit
from fivefold.training.optimizer import AdamW, Optimizer

Answer: TypeAlias = Callable[[Tensor], Float[Tensor, "batch outputs"]]
BUDGETS = (50, 200)  # smaller numbers of queries, for the picture
SIZE = 64
CLOSE = 0.1  # numbers that differ by less than this many standard deviations count as equal
KNOWS: dict[Literal["near", "uniform"], Text] = {
    "near": text(
        "The thief knows the schema and holds the validation rows without their labels. A stronger thief may copy more."
    ),
    "uniform": text("The thief knows the schema and no real row. A stronger thief may copy more."),
}


@dataclass(frozen=True, kw_only=True)
class Extraction(Probe):
    """Share of test examples on which a stolen copy gives the model's own answer.

    Attributes:
        n_queries: How many inputs the thief asks about.
        student: What the thief trains.
        epochs: Passes over all queries; with fewer queries the thief makes as many training steps.
        queries: Close to the validation rows, or drawn evenly from what the schema allows.
        answers: Whether the model answers with logits or with the label alone.
        optimizer: How the student's weights move.
    """

    axis: ClassVar[Axis] = Axis.SECURITY
    n_queries: Count = 1000
    student: Architecture = MLP(hidden=(64, 64))
    epochs: Count = 15
    queries: Literal["near", "uniform"] = "near"
    answers: Literal["logits", "labels"] = "logits"
    optimizer: Optimizer = AdamW(lr=3e-3)

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Ask, train a copy on the answers, and compare it with the model on the test split."""
        asked = self._asked(model, splits.seen.valid, rng)
        answers = model.predict(asked)
        test = as_tensor(splits.test.x)
        truth = model.predict(test)
        budgets = sorted({k for k in BUDGETS if k < self.n_queries} | {self.n_queries})
        agreed = {
            k: same(self.steal(model, asked[:k], answers[:k], rng)(test), truth) for k in budgets
        }
        return [self._evidence(agreed, truth)]

    def steal(
        self,
        model: Model,
        asked: Float[Tensor, "n ..."],
        answers: Float[Tensor, "n outputs"],
        rng: Generator,
    ) -> Answer:
        """Return a copy trained on `answers`; of `model` it uses the schema and the task alone."""
        net = self.student.build(model.schema, model.task, spawn(rng))
        learnt, scale, shift = self._lesson(answers)
        rounds = ceil(self.epochs * ceil(self.n_queries / SIZE) / ceil(len(asked) / SIZE))
        batches = shuffled(Batch(asked, learnt), SIZE, rounds, spawn(rng))
        fit(net, batches, loss_of(model.task), optimizer=self.optimizer)

        @torch.no_grad()
        def copy(x: Tensor) -> Float[Tensor, "batch outputs"]:
            return net(x) * scale + shift

        return copy

    def _asked(self, model: Model, valid: Batch, rng: Generator) -> Float[Tensor, "n ..."]:
        if self.queries == "uniform":
            return uniform(model.schema, self.n_queries, rng)
        if not valid.size:
            raise NotMeasurable(
                "The thief needs validation rows, and there are none.",
                mend="Set queries to uniform, or give a validation split.",
            )
        return near(as_tensor(valid.x), model.schema, self.n_queries, rng)

    def _lesson(self, answers: Float[Tensor, "n outputs"]) -> tuple[Tensor, float, float]:
        """Return targets for the student, and how to turn its outputs into answers again."""
        if answers.shape[1] > 1:
            return (answers.softmax(1) if self.answers == "logits" else answers.argmax(1)), 1.0, 0.0
        scale = float(answers.std(correction=0).clamp_min(1e-6))
        shift = float(answers.mean())
        return (answers[:, 0] - shift) / scale, scale, shift

    def _evidence(self, agreed: dict[int, Tensor], truth: Float[Tensor, "n outputs"]) -> Evidence:
        rows = [_row(k, hits) for k, hits in agreed.items()]
        last, n = int(agreed[self.n_queries].sum()), len(truth)
        low, high = wilson(last, n)
        told = self.answers if truth.shape[1] > 1 else "numbers"
        return Evidence(
            axis=self.axis,
            name="extraction_fidelity",
            value=last / n,
            low=low,
            high=high,
            n=n,
            unit="fraction",
            better="lower",
            floor=trivial(truth),
            setting=f"{self.n_queries} queries, {self.queries}, {told}",
            interval="Wilson",
            note=KNOWS[self.queries],
            chart=Chart(
                title=text("How faithful a stolen copy is after so many queries"),
                kind="line",
                x="queries",
                y="fidelity",
                low="low",
                high="high",
                rows=tuple(rows),
            ),
        )


def same(
    copied: Float[Tensor, "n outputs"], truth: Float[Tensor, "n outputs"]
) -> Bool[Tensor, " n"]:
    """Return where two models answer alike: the same class, or numbers 0.1 standard deviations apart."""
    if truth.shape[1] > 1:
        return copied.argmax(1) == truth.argmax(1)
    return (copied - truth)[:, 0].abs() <= CLOSE * truth.std(correction=0)


def trivial(truth: Float[Tensor, "n outputs"]) -> float:
    """Return the share on which a copy that always says the same would be right."""
    if truth.shape[1] > 1:
        return float(truth.argmax(1).bincount().max()) / len(truth)
    return float(same(truth.median(0, keepdim=True).values.expand_as(truth), truth).double().mean())


def _row(n_queries: int, hits: Bool[Tensor, " n"]) -> dict[str, Cell]:
    low, high = wilson(int(hits.sum()), len(hits))
    value = float(hits.double().mean())
    return {"queries": n_queries, "fidelity": value, "low": low, "high": high}
