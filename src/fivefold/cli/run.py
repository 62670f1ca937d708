"""Carry out a recipe: tell of each stage, show the matrix, write the report."""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fivefold.cli.bars import shown
from fivefold.cli.grid import of_stages, show
from fivefold.cli.voice import Voice
from fivefold.core.atomic import write_atomic
from fivefold.core.errors import BadInput, BadRecipe
from fivefold.core.progress import heard_by
from fivefold.recipe import Recipe, Run, carry_out, read_recipe
from fivefold.recipe.tensorboard import Scalars
from fivefold.recipe.walk import Device
from fivefold.report import Matrix, judge, matrix, page, policy_from
from fivefold.report.words import title


def run(
    path: Path,
    workdir: Path,
    force: frozenset[str],
    device: Device,
    tensorboard: bool,
    voice: Voice,
) -> None:
    """Run the recipe in `path` and put what came out on stdout."""
    done = perform(path, workdir, voice, force=force, device=device, tensorboard=tensorboard)
    report = str(done.folder / page_name(voice))
    voice.give({"run": str(done.folder), "report": report, "matrix": matrix(done).to_rows()})


def perform(
    path: Path,
    workdir: Path,
    voice: Voice,
    *,
    force: frozenset[str] = frozenset(),
    device: Device = "auto",
    tensorboard: bool = False,
) -> Run:
    """Run the recipe in `path`, tell how each stage went, show the matrix, write the report."""
    recipe = read_recipe(path)
    _check_names(recipe, force)
    _check_device(device)
    _check_policy(recipe, path)
    with shown(voice), _scalars(workdir / recipe.name, tensorboard) as scalars:
        done = _watched(recipe, workdir, force, device, scalars, voice)
    if not voice.is_json:
        show(matrix(done), voice)
    voice.say("Writing the report ...")
    report = write_report(done, voice)
    voice.say("Report: {path}", path=str(report))
    return done


def write_report(done: Run, voice: Voice) -> Path:
    """Write the page of a run into its folder and return its path.

    Raises:
        BadRecipe: The policy names what the run does not have; the page is written without a verdict.
    """
    path = done.folder / page_name(voice)
    try:
        verdict = judge(done, policy_from(done.recipe["policy"])) if done.recipe["policy"] else None
    except BadRecipe:
        write_atomic(path, page(done, voice.language))
        raise
    write_atomic(path, page(done, voice.language, verdict))
    return path


def page_name(voice: Voice) -> str:
    """Return the name of the page's file."""
    return "report.html" if voice.language == "en" else f"report.{voice.language}.html"


def _watched(
    recipe: Recipe,
    workdir: Path,
    force: frozenset[str],
    device: Device,
    scalars: Scalars | None,
    voice: Voice,
) -> Run:
    """Carry the recipe out, tell how each stage went, and show it beside the one it started from."""
    total, last = len(recipe.steps) + 1, None
    for last in carry_out(recipe, workdir, force=force, device=device):
        stage = last.stages[-1]
        if scalars:
            scalars.stage(stage)
        voice.say(
            "{i}/{total} {stage}: step {step} s, probes {probes} s" if not stage.was_cached
            else "{i}/{total} {stage}: unchanged",
            i=len(last.stages), total=total, stage=stage.name,
            step=stage.cost.told, probes=f"{stage.probe_cost.seconds:.1f}",
        )  # fmt: skip
        _tell_changes(matrix(last), voice)
        if stage.parent and not (voice.is_json or stage.was_cached):
            show(of_stages(matrix(last), (stage.parent, stage.name)), voice)
    assert last is not None  # there is always a start
    return last


def _tell_changes(found: Matrix, voice: Voice) -> None:
    """Say what the latest stage has certainly made better and worse."""
    changed: dict[str, dict[str, None]] = {"better": {}, "worse": {}}
    for row in found.rows:
        judged = row.cells[-1].change
        if judged and judged.judgement in changed:
            changed[judged.judgement][title(row.name, voice.language)] = None
    comma = {"en": ", ", "zh": "、"}[voice.language]
    if changed["better"]:
        voice.say("  better: {names}", names=comma.join(changed["better"]))
    if changed["worse"]:
        voice.say("  worse: {names}", names=comma.join(changed["worse"]))


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
    known = ["start", *(s.name for s in recipe.steps)]
    if unknown := sorted(force.difference(known)):
        raise BadInput(
            "The recipe has no stage called {name}.",
            where="--force",
            mend="It has: {known}.",
            name=unknown[0],
            known=", ".join(known),
        )


def _check_device(device: Device) -> None:
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise BadInput(
            "This machine has no accelerator that torch can use.",
            where="--device cuda",
            mend="Leave it out, or write --device cpu.",
        )


def _check_policy(recipe: Recipe, path: Path) -> None:
    """Refuse a malformed policy before hours of work, not after."""
    try:
        if recipe.policy:
            policy_from(recipe.policy)
    except BadRecipe as error:
        raise error.at(f"{path}: [policy] {error.where}".rstrip()) from error
