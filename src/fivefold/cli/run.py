"""Carry out a recipe and show the matrix grow."""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fivefold.cli.bars import shown
from fivefold.cli.voice import Voice
from fivefold.core.atomic import write_atomic
from fivefold.core.errors import BadInput
from fivefold.core.progress import heard_by
from fivefold.recipe import Recipe, Run, carry_out, read_recipe
from fivefold.recipe.tensorboard import Scalars
from fivefold.recipe.walk import Device
from fivefold.report import judge, matrix, page, policy_from


def run(
    path: Path,
    workdir: Path,
    force: frozenset[str],
    device: Device,
    tensorboard: bool,
    voice: Voice,
) -> Run:
    """Run the recipe in `path`, print the matrix after each stage, write the report."""
    recipe = read_recipe(path)
    _check_names(recipe, force)
    with shown(voice), _scalars(workdir / recipe.name, tensorboard) as scalars:
        done = _watched(recipe, workdir, force, device, scalars, voice)
    report = write_report(done, voice)
    shown_matrix = matrix(done)
    voice.give({"run": str(done.folder), "report": str(report), "matrix": shown_matrix.to_rows()})
    voice.say("Report: {path}", path=str(report))
    return done


def write_report(done: Run, voice: Voice) -> Path:
    """Write the page of a run beside it and return its path."""
    verdict = judge(done, policy_from(done.recipe["policy"])) if done.recipe["policy"] else None
    path = done.folder / (
        "report.html" if voice.language == "en" else f"report.{voice.language}.html"
    )
    write_atomic(path, page(done, voice.language, verdict))
    return path


def _watched(
    recipe: Recipe,
    workdir: Path,
    force: frozenset[str],
    device: Device,
    scalars: Scalars | None,
    voice: Voice,
) -> Run:
    """Carry the recipe out; at each stage tell how it went and show the matrix so far."""
    total, last = len(recipe.steps) + 1, None
    for last in carry_out(recipe, workdir, force=force, device=device):
        stage = last.stages[-1]
        if scalars:
            scalars.stage(stage)
        voice.say(
            "{i}/{total} {stage}: step {step} s, probes {probes} s" if not stage.was_cached
            else "{i}/{total} {stage}: unchanged",
            i=len(last.stages), total=total, stage=stage.name,
            step=f"{stage.cost.seconds:.1f}", probes=f"{stage.probe_cost.seconds:.1f}",
        )  # fmt: skip
        if not voice.is_json and (not stage.was_cached or len(last.stages) == total):
            voice.give(None, matrix(last))
    assert last is not None  # there is always a start
    return last


@contextmanager
def _scalars(folder: Path, wanted: bool) -> Generator[Scalars | None]:
    with ExitStack() as stack:
        if not wanted:
            yield None
            return
        scalars = Scalars(folder / "tensorboard")
        stack.callback(scalars.close)
        stack.enter_context(heard_by(scalars))
        yield scalars


def _check_names(recipe: Recipe, force: frozenset[str]) -> None:
    known = {"start", *(s.name for s in recipe.steps)}
    if unknown := sorted(force - known):
        raise BadInput(
            "The recipe has no stage called {name}.",
            where="--force",
            mend="It has: {known}.",
            name=unknown[0],
            known=", ".join(sorted(known)),
        )
