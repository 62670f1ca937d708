"""Carry out a recipe in a run folder."""

from collections.abc import Generator as Yields
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout
from torch import Generator

from fivefold.core.atomic import naming, sweep
from fivefold.core.beside import beside
from fivefold.core.data import Dataset
from fivefold.core.errors import FivefoldError, LimitReached
from fivefold.recipe.environment import environment
from fivefold.recipe.folder import RunFolder
from fivefold.recipe.index import note
from fivefold.recipe.key import seed_of
from fivefold.recipe.recipe import Recipe
from fivefold.recipe.stage import DataCard, Run
from fivefold.recipe.walk import Device, Walk

NOTHING: frozenset[str] = frozenset()


def carry_out(
    recipe: Recipe,
    workdir: Path = Path("runs"),
    *,
    force: frozenset[str] = NOTHING,
    device: Device = "auto",
) -> Iterator[Run]:
    """Carry out a recipe, yielding the run as it grows, once per stage.

    What has not changed since the last time is not done again. Killed anywhere, it goes on where it was.

    Args:
        recipe: What to do.
        workdir: Folder of the run folders.
        force: Stages to carry out even if nothing has changed.
        device: Where networks are trained.

    Raises:
        BadInput: The data cannot be used.
        LimitReached: Another process is working on the same run.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    folder = RunFolder(workdir / recipe.name)
    with alone(workdir / f".{recipe.name}.lock"), beside(recipe.folder):
        sweep(folder.path.rglob(".*.part"))
        data = _loaded(recipe, folder)
        folder.start(recipe.table())
        walk = Walk(recipe=recipe, data=data, folder=folder, force=force, device=device)
        run = Run(
            name=recipe.name,
            folder=folder.path,
            recipe=recipe.table(),
            stages=(),
            data=data_card(data),
            environment=environment(),
            created="",
        )
        for stage in walk.stages():
            run = replace(run, stages=(*run.stages, stage), created=now())
            if len(run.stages) == len(recipe.steps) + 1:
                folder.keep_run(run)
                note(folder.path)  # if it fails, the index is made again when somebody looks
            log(folder, f"{stage.name}: {'unchanged' if stage.was_cached else 'made'}")
            yield run


def run(
    recipe: Recipe,
    workdir: Path = Path("runs"),
    *,
    force: frozenset[str] = NOTHING,
    device: Device = "auto",
) -> Run:
    """Carry out a whole recipe and return what happened; see `carry_out`."""
    *_, last = carry_out(recipe, workdir, force=force, device=device)
    return last


def data_card(data: Dataset) -> DataCard:
    """Return what may be said of the data without showing any of it."""
    seen, test = data.splits
    counts = (
        seen.train.y.bincount(minlength=len(data.task.classes))
        if data.task.is_classification
        else []
    )
    return DataCard(
        name=data.name,
        fingerprint=data.fingerprint,
        task=data.task,
        schema=data.schema,
        sizes={"train": seen.train.size, "valid": seen.valid.size, "test": test.size},
        balance=dict(zip(data.task.classes, (int(c) for c in counts), strict=True)),
        notes=data.notes,
    )


def _loaded(recipe: Recipe, folder: RunFolder) -> Dataset:
    try:
        return recipe.data.load(
            recipe.folder, Generator().manual_seed(seed_of(recipe.seed, "data"))
        )
    except FivefoldError as error:
        log(folder, str(error))
        raise


def log(folder: RunFolder, line: str) -> None:
    """Add a line to the log of a run."""
    folder.path.mkdir(parents=True, exist_ok=True)
    path = folder.path / "log.txt"
    with naming(path), path.open("a", encoding="utf-8") as file:
        file.write(f"{now()} {line}\n")


@contextmanager
def alone(path: Path) -> Yields[None]:
    """Hold the lock of a run.

    Raises:
        LimitReached: Another process holds it.
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise LimitReached(
            "Another process is working on this run.",
            where=str(path),
            mend="Wait for it, or give the recipe another name.",
        ) from error
    try:
        yield
    finally:
        lock.release()


def now() -> str:
    """Return the time as ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
