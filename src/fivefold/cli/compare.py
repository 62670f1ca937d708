"""Put runs side by side: one column per run, changes counted from the first if the data are the same."""

from dataclasses import replace
from pathlib import Path

from fivefold.cli.grid import show
from fivefold.cli.voice import Voice
from fivefold.core.errors import BadInput
from fivefold.recipe import Run, Stage, read_run
from fivefold.report import matrix


def compare(folders: list[Path], stage: str, voice: Voice) -> None:
    """Print the matrix of one stage of every run."""
    if len(folders) < 2:
        raise BadInput("Comparing needs at least two runs.", mend="Name another run folder.")
    runs = [read_run(f) for f in folders]
    joined = side_by_side(runs, [r.asked_for(stage).name for r in runs])
    if len({r.data.fingerprint for r in runs}) > 1:
        voice.say("These runs measured different data, so no change is called better or worse.")
    shown = matrix(joined)
    voice.give(shown.to_rows())
    if not voice.is_json:
        show(shown, voice)


def side_by_side(runs: list[Run], names: list[str]) -> Run:
    """Return a run whose stages are one stage of each run, children of the first if they share its data."""
    columns: list[Stage] = []
    for i, (run, name) in enumerate(zip(runs, names, strict=True)):
        label = f"{run.name}/{name}"
        taken = sum(c.name.partition("#")[0] == label for c in columns)
        label += f"#{taken + 1}" if taken else ""
        is_like_first = run.data.fingerprint == runs[0].data.fingerprint
        parent = columns[0].name if i and is_like_first else ""
        columns.append(replace(run.stage(name), name=label, parent=parent, changes=()))
    return replace(runs[0], name=" | ".join(r.name for r in runs), stages=tuple(columns))
