"""What the index says of one run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from fivefold.core.errors import BadInput, Damaged
from fivefold.core.evidence import Evidence
from fivefold.recipe.folder import StageFolder, read_run
from fivefold.recipe.stage import Run, Stage

State: TypeAlias = Literal["whole", "unfinished", "damaged"]
Verdict: TypeAlias = Literal["", "passed", "failed"]
Judge: TypeAlias = Callable[[Run], bool]


@dataclass(frozen=True, kw_only=True)
class Number:
    """One measured number.

    Attributes:
        name: Its name, in snake case.
        value: What was measured.
        low: Lower 95 % bound.
        high: Upper 95 % bound.
    """

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One run.

    Attributes:
        name: Name of its folder.
        state: Whether it has ended and its files are as they were written.
        created: When it ended, ISO 8601, UTC; "" if it has not.
        stages: Names of its stages.
        data: Content hash of its data.
        verdict: What the policy in its recipe says; "" if it has none or nobody has judged.
        numbers: The first number of each axis at the last stage.
        size: Bytes on the disk.
    """

    name: str
    state: State
    created: str = ""
    stages: tuple[str, ...] = ()
    data: str = ""
    verdict: Verdict = ""
    numbers: Mapping[str, Number] = field(default_factory=dict[str, Number])
    size: int = 0


def is_run(folder: Path) -> bool:
    """Return whether `folder` is that of a run; a bundle, a project with a recipe or a run half deleted is none."""
    if folder.name.startswith("."):
        return False
    if folder.is_symlink() or not folder.is_dir() or (folder / "manifest.json").exists():
        return False
    has_record = (folder / "run.json").is_file()
    return has_record or ((folder / "recipe.toml").is_file() and (folder / "stages").is_dir())


def entry_of(folder: Path, judge: Judge | None = None) -> Entry:
    """Return what there is to say of the run in `folder`, from its files alone."""
    size = size_of(folder)
    try:
        run = read_run(folder)
    except BadInput:
        return Entry(name=folder.name, state="unfinished", size=size)
    except (Damaged, OSError):
        return Entry(name=folder.name, state="damaged", size=size)
    is_whole = all(_is_whole(folder, i, stage) for i, stage in enumerate(run.stages))
    return Entry(
        name=folder.name,
        state="whole" if is_whole else "damaged",
        created=run.created,
        stages=tuple(s.name for s in run.stages),
        data=run.data.fingerprint,
        verdict=_verdict(run, judge),
        numbers=_numbers(run.stages[-1]) if run.stages else {},
        size=size,
    )


def size_of(folder: Path) -> int:
    """Return the bytes of all files below `folder`."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += 0 if path.is_symlink() or not path.is_file() else path.stat().st_size
        except OSError:  # deleted in between
            continue
    return total


def _is_whole(folder: Path, index: int, stage: Stage) -> bool:
    """Return whether the model of a stage is as it was written; an audit keeps none."""
    if not (folder / "recipe.toml").is_file() or not (folder / "stages").is_dir():
        return True
    path = folder / "stages" / f"{index:02d}-{stage.name}"
    if not (path / "stage.json").exists() and not (path / "model.safetensors").exists():
        return True
    return StageFolder(path).made(stage.key) is not None


def _verdict(run: Run, judge: Judge | None) -> Verdict:
    if judge is None or not run.recipe.get("policy"):
        return ""
    return "passed" if judge(run) else "failed"


def _numbers(stage: Stage) -> dict[str, Number]:
    found: dict[str, Number] = {}
    for e in (f for f in stage.findings if isinstance(f, Evidence)):
        found.setdefault(e.axis.value, Number(name=e.name, value=e.value, low=e.low, high=e.high))
    return found
