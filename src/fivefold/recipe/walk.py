"""The tree of a recipe, stage by stage: make the model or find it made, then ask the probes."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal, NamedTuple, TypeAlias

import torch
from torch import Generator

from fivefold.core import progress
from fivefold.core.codec import encode
from fivefold.core.cost import Cost, measured
from fivefold.core.data import Dataset, Seen
from fivefold.core.fingerprint import of_batch
from fivefold.core.lineage import Record, claim_of
from fivefold.core.model import HasNet, Model
from fivefold.core.step import Step
from fivefold.models import fresh
from fivefold.recipe.folder import Made, RunFolder, StageFolder
from fivefold.recipe.key import key_of, seed_of
from fivefold.recipe.measure import measure, total
from fivefold.recipe.recipe import Recipe
from fivefold.recipe.stage import START, Stage
from fivefold.training import checkpoint

UNFINISHED = "unfinished"  # the folder of what is kept in the middle of a step
Device: TypeAlias = Literal["auto", "cpu", "cuda"]


class Node(NamedTuple):
    """A stage with its model, which is loaded only if somebody needs it."""

    stage: Stage
    model_hash: str
    load: Callable[[], Model]


class Todo(NamedTuple):
    """What makes a stage, and what that depends on."""

    name: str
    parent: str
    step: Mapping[str, Any]
    key: str
    seed: int
    make: Callable[[Generator], Model]
    hides_time: bool = False


@dataclass(frozen=True, kw_only=True)
class Walk:
    """One walk through a recipe.

    Attributes:
        recipe: What to do.
        data: The examples.
        folder: Where files go.
        force: Stages to carry out even if nothing has changed.
        device: Where networks are trained.
    """

    recipe: Recipe
    data: Dataset
    folder: RunFolder
    force: frozenset[str] = frozenset()
    device: Device = "auto"

    def stages(self) -> Iterator[Stage]:
        """Yield each stage when it has been made and measured."""
        nodes = {START: self._measured(self._start(), None, 0)}
        yield nodes[START].stage
        for i, planned in enumerate(self.recipe.steps, start=1):
            parent = nodes[planned.after]
            with progress.section(planned.name):
                node = self._step(i, planned.name, planned.step, parent)
                nodes[planned.name] = self._measured(node, parent, i)
            yield nodes[planned.name].stage

    def _start(self) -> Node:
        architecture, seed = self.recipe.model, seed_of(self.recipe.seed, START)
        key = self._key(seed, model=encode(architecture))

        def make(rng: Generator) -> Model:
            return self._placed(fresh(architecture, self.data, rng))

        return self._node(0, Todo(START, "", {}, key, seed, make))

    def _key(self, seed: int, **parts: Any) -> str:
        return key_of(**parts, data=self.data.fingerprint, seed=seed, **self._acting())

    def _acting(self) -> dict[str, Any]:
        """What decides every result of this walk."""
        return {"device": self._device(), "plugins": self.recipe.plugins}

    def _step(self, index: int, name: str, step: Step, parent: Node) -> Node:
        seed, table = seed_of(self.recipe.seed, name), encode(step)
        key = self._key(seed, step=table, parent=parent.model_hash)

        def make(rng: Generator) -> Model:
            return apply(step, name, parent.load(), self.data.splits.seen, rng)

        return self._node(
            index, Todo(name, parent.stage.name, table, key, seed, make, step.hides_time)
        )

    def _node(self, index: int, todo: Todo) -> Node:
        """Return the stage, made now or found made."""
        folder = self.folder.stage(index, todo.name)
        made = None if todo.name in self.force else folder.made(todo.key)
        was_cached, load = (
            made is not None,
            cache(lambda: self._placed(folder.model(self.recipe.plugins))),
        )
        if made is None:
            made, model = _make(folder, todo)
            load = cache(lambda: model)
        else:
            checkpoint.forget(folder.path / UNFINISHED)
        return Node(_stage(todo, made, was_cached), made.model_hash, load)

    def _measured(self, node: Node, parent: Node | None, index: int) -> Node:
        """Return the node with what its probes and comparisons found."""
        pair = [(n.model_hash, n.load) for n in (parent, node) if n is not None]
        compared = self.recipe.comparisons if parent else ()
        found = measure(
            self.folder.stage(index, node.stage.name),
            [*self.recipe.probes, *compared],
            pair,
            self.data,
            self.recipe.seed,
            self._acting(),
        )
        stage = replace(
            node.stage,
            findings=tuple(f for m in found if not m.is_comparison for f in m.findings),
            changes=tuple(f for m in found if m.is_comparison for f in m.findings),
            probe_cost=total(found),
        )
        return node._replace(stage=stage)

    def _device(self) -> str:
        if self.device == "auto":
            return "cuda" if torch.cuda.is_available() else "cpu"
        return self.device

    def _placed(self, model: Model) -> Model:
        if isinstance(model, HasNet):
            model.net.to(self._device())
        return model


def apply(step: Step, name: str, model: Model, seen: Seen, rng: Generator) -> Model:
    """Carry out one step and write it into the lineage.

    A step that claims not to read data is given none, so that the claim is true by construction.
    """
    claim = claim_of(step, seen.train.size)
    shown = seen if claim.reads_data else _emptied(seen)
    after = step(model, shown, rng=rng)
    data = of_batch(seen.train) if claim.reads_data else ""
    return after.with_lineage((*model.lineage, Record(name, encode(step), data, claim)))


def _emptied(seen: Seen) -> Seen:
    none = slice(0, 0)
    return Seen(
        seen.train.take(none), seen.valid.take(none), tuple(p.take(none) for p in seen.past)
    )


def _make(folder: StageFolder, todo: Todo) -> tuple[Made, Model]:
    """Carry a step out and keep what it made; one that was interrupted goes on where it was."""
    rng = Generator().manual_seed(todo.seed)
    with checkpoint.keeping(folder.path / UNFINISHED, rng, key=todo.key):
        with measured() as cost:
            model = todo.make(rng)
        return folder.keep(todo.key, model, Cost() if todo.hides_time else cost), model


def _stage(todo: Todo, made: Made, was_cached: bool) -> Stage:
    return Stage(
        name=todo.name,
        parent=todo.parent,
        step=todo.step,
        lineage=made.lineage,
        findings=(),
        changes=(),
        cost=made.cost,
        probe_cost=Cost(),
        key=made.key,
        was_cached=was_cached,
    )
