"""A package outside the toolkit: what a stranger's plug-in looks like."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Generator

from fivefold.core.data import Batch, Dataset, Seen, Splits
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Axis, Evidence, Finding
from fivefold.core.fingerprint import of_batch
from fivefold.core.model import Model
from fivefold.core.probe import Comparison, Probe
from fivefold.core.schema import Column, Schema
from fivefold.core.step import Step
from fivefold.core.task import Task

CALLS: list[
    str
] = []  # which parts of this plug-in were asked, so that tests can see what was cached


@dataclass(frozen=True, kw_only=True)
class Points:
    """Points in the plane, left or right of a line.

    Attributes:
        n: Number of points.
        shift: Moves the line.
    """

    n: int = 200
    shift: float = 0.0

    def load(self, folder: Path, rng: Generator) -> Dataset:
        x = torch.randn(self.n, 2, generator=Generator().manual_seed(7))
        y = (x[:, 0] > self.shift).long()
        a, b = self.n * 6 // 10, self.n * 8 // 10
        splits = Splits(Seen(Batch(x[:a], y[:a]), Batch(x[a:b], y[a:b])), Batch(x[b:], y[b:]))
        columns = (Column(name="a", low=-5.0, high=5.0), Column(name="b", low=-5.0, high=5.0))
        schema, task = Schema(columns=columns, shape=(2,)), Task(classes=("left", "right"))
        return Dataset("points", splits, schema, task, of_batch(Batch(x, y)))


@dataclass(frozen=True, kw_only=True)
class Sleepy(Step):
    """Changes nothing, and remembers that it was called.

    Attributes:
        tag: Anything.
    """

    tag: str = ""

    def __call__(self, model: Model, seen: object, *, rng: Generator) -> Model:
        CALLS.append(f"step {self.tag}")
        return model


@dataclass(frozen=True, kw_only=True)
class Counter(Probe):
    """Measures nothing much, and remembers that it was asked.

    Attributes:
        setting: Setting of its evidence.
    """

    axis: ClassVar[Axis] = Axis.LEARNING
    setting: str = ""

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        CALLS.append(f"probe {self.setting}")
        value = float(torch.rand((), generator=rng))
        return [
            Evidence(
                axis=self.axis, name="draw", value=value, low=0.0, high=1.0, n=1, unit="fraction",
                better="higher", setting=self.setting, interval="none",
            )
        ]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Blind(Probe):
    """Can never measure anything."""

    axis: ClassVar[Axis] = Axis.SECURITY

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        raise NotMeasurable("nothing to see in {place}", place="the dark")


@dataclass(frozen=True, kw_only=True)
class Same(Comparison):
    """Share of test points answered alike before and after."""

    axis: ClassVar[Axis] = Axis.LEARNING

    def __call__(
        self, before: Model, after: Model, splits: Splits, *, rng: Generator
    ) -> list[Finding]:
        same = before.predict(splits.test.x).argmax(-1) == after.predict(splits.test.x).argmax(-1)
        value = float(same.float().mean())
        return [
            Evidence(
                axis=self.axis, name="agreement", value=value, low=0.0, high=1.0, n=len(same),
                unit="fraction", better="higher", interval="none",
            )
        ]  # fmt: skip
