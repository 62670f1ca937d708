"""What the runner adds to calling the steps by hand, and what a re-run costs."""

import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import Generator

sys.path.insert(0, str(Path(__file__).parents[1]))
from harness import RESULTS, Row, arguments, finish, interleaved, load

from fivefold.core.codec import name_of
from fivefold.core.errors import NotMeasurable
from fivefold.core.probe import Comparison
from fivefold.models import fresh
from fivefold.recipe import Recipe, read_recipe, run
from fivefold.recipe.key import seed_of
from fivefold.recipe.stage import START
from fivefold.recipe.walk import apply

HOME = Path(__file__).parents[2]
HELP = "import sys; from fivefold.cli.main import answer; answer(['--help']); print('torch' in sys.modules)"


def by_hand(recipe: Recipe) -> None:
    """Do all the work of a recipe with plain calls: no folder, no cache, no records."""
    data = recipe.data.load(recipe.folder, Generator().manual_seed(seed_of(recipe.seed, "data")))
    models = {
        START: fresh(recipe.model, data, Generator().manual_seed(seed_of(recipe.seed, START)))
    }
    for probe in recipe.probes:
        ask(probe, [models[START]], data, recipe.seed)
    for planned in recipe.steps:
        rng = Generator().manual_seed(seed_of(recipe.seed, planned.name))
        model = apply(planned.step, planned.name, models[planned.after], data.splits.seen, rng)
        models[planned.name] = model
        for probe in (*recipe.probes, *recipe.comparisons):
            ask(probe, [models[planned.after], model], data, recipe.seed)


def ask(probe, models, data, seed) -> None:
    """Ask one probe or comparison."""
    rng = Generator().manual_seed(seed_of(seed, name_of(type(probe))))
    try:
        probe(*(models if isinstance(probe, Comparison) else models[-1:]), data.splits, rng=rng)
    except NotMeasurable:
        return


def through_the_runner(recipe: Recipe) -> None:
    """Do the same in a new run folder."""
    with tempfile.TemporaryDirectory() as folder:
        run(recipe, Path(folder))


def overhead(recipe: Recipe, repeats: int) -> Row:
    by_hand(recipe)  # warm-up
    ours, theirs = interleaved(
        lambda: through_the_runner(recipe), lambda: by_hand(recipe), repeats=repeats
    )
    return row(
        "runner: a whole recipe",
        "the steps by hand",
        theirs.wall / ours.wall,
        1 / 1.03,
        vars(ours),
        vars(theirs),
    )


def rerun(recipe: Recipe) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        first = run(recipe, Path(folder))
        times = []
        for _ in range(5):
            start = time.perf_counter()
            again = run(recipe, Path(folder))
            times.append(time.perf_counter() - start)
        seconds = sorted(times)[2]
        same = [s.findings for s in first.stages] == [s.findings for s in again.stages]
        *rest, last = recipe.steps
        changed = replace(last, step=replace(recipe.steps[0].step, epochs=1))
        third = run(replace(recipe, steps=(*rest, changed)), Path(folder))
        made = [s.name for s in third.stages if not s.was_cached]
    return [
        row("re-run with nothing changed", "2 seconds", 2 / seconds, 1, {"wall": seconds}, {"wall": 2.0}, same),
        row("changing the last step: steps run again", "that step alone", 1 / max(len(made), 1), 1, {"steps": made}, {"steps": [last.name]}),
    ]  # fmt: skip


def help_text(repeats: int) -> Row:
    times, has_torch = [], False
    for _ in range(repeats):
        start = time.perf_counter()
        told = subprocess.run(
            [sys.executable, "-c", HELP], capture_output=True, text=True, check=True
        )
        times.append(time.perf_counter() - start)
        has_torch |= told.stdout.strip().endswith("True")
    seconds = sorted(times)[len(times) // 2]
    return row(
        "fivefold --help, torch not imported",
        "0.6 seconds",
        0.6 / seconds,
        1,
        {"wall": seconds},
        {"wall": 0.6},
        not has_torch,
    )


def row(work, peer, ratio, reach, ours, theirs, equal_quality=True) -> Row:
    return Row(
        work=work, peer=peer, peer_version="", ratio=ratio, reach=reach, equal_quality=equal_quality,
        ours=ours, theirs=theirs, threads=torch.get_num_threads(), load=load(),
    )  # fmt: skip


def main() -> None:
    asked = arguments(__doc__ or "")
    recipe = read_recipe(HOME / "recipes/medical.toml")
    if asked.quick:
        recipe = replace(recipe, steps=recipe.steps[:1])
    rows = [overhead(recipe, 5), *rerun(recipe), help_text(5 if asked.quick else 11)]
    finish(rows, asked.json or RESULTS / "runner.json")


if __name__ == "__main__":
    main()
