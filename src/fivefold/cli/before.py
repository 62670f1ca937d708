"""The model that stands before a step of a recipe: found in an earlier run, or made as a run would make it."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeAlias

from torch import Generator

from fivefold.core.beside import beside
from fivefold.core.data import Dataset
from fivefold.models import TorchModel
from fivefold.recipe import Planned, Recipe, Stage
from fivefold.recipe.folder import RunFolder
from fivefold.recipe.key import seed_of
from fivefold.recipe.stage import START
from fivefold.recipe.walk import UNFINISHED, Walk

Seeing: TypeAlias = Callable[[int, int, Stage, TorchModel], None]


class Begun(NamedTuple):
    """The examples of a recipe, and the model that stands before one of its steps."""

    data: Dataset
    model: TorchModel


def before(recipe: Recipe, planned: Planned, workdir: Path, place: Path, see: Seeing) -> Begun:
    """Carry out what comes before a step, as a run would but without probes.

    What the run of this recipe in `workdir` has made is not made again, and stays as it is: a private step
    made again would spend its privacy again.

    Args:
        recipe: Where the step stands.
        planned: The step.
        workdir: Folder of the run folders.
        place: An empty folder for what is made on the way.
        see: Called after each stage with its number, their count, the stage and its model; may refuse it.
    """
    steps = _steps_before(recipe, planned)
    short = replace(recipe, steps=steps, probes=(), comparisons=())
    folder = RunFolder(place / "run")
    _copy_stages(workdir / recipe.name, folder.path, [START, *(p.name for p in steps)])
    model = None
    with beside(recipe.folder):
        rng = Generator().manual_seed(seed_of(recipe.seed, "data"))
        data = recipe.data.load(recipe.folder, rng)
        for i, stage in enumerate(Walk(recipe=short, data=data, folder=folder).stages()):
            model = folder.stage(i, stage.name).model(recipe.plugins)
            see(i + 1, len(steps) + 1, stage, model)
    assert model is not None  # there is always a start
    return Begun(data, model)


def _steps_before(recipe: Recipe, planned: Planned) -> tuple[Planned, ...]:
    """Return the steps from the start to the one before `planned`, in order."""
    known, found = {p.name: p for p in recipe.steps}, list[Planned]()
    while planned.after != START:
        planned = known[planned.after]
        found.append(planned)
    return tuple(reversed(found))


def _copy_stages(run: Path, to: Path, names: list[str]) -> None:
    """Copy what an earlier run has made of these stages; the walk takes it if it is still what would be made."""
    for path in run.glob("stages/*"):
        if path.name.partition("-")[2] in names:
            ignored = shutil.ignore_patterns(UNFINISHED, ".*.part")
            shutil.copytree(path, to / "stages" / path.name, ignore=ignored)
