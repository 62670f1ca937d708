"""List, show and delete runs, and what killed processes have left."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from fivefold.cli.voice import Voice
from fivefold.core.errors import BadInput
from fivefold.core.text import text, translate
from fivefold.recipe.index import (  # fmt: skip
    Entry,
    check_run,
    entry_of,
    indexed,
    leftovers,
    reindex,
    remove,
    sweep,
)
from fivefold.recipe.stage import Run
from fivefold.report import judge, policy_from

COLUMNS = ("name", "state", "created", "stages", "verdict", "size")


def ls(workdir: Path, limit: int, sort: str, voice: Voice) -> None:
    """List the runs."""
    found = sorted(indexed(workdir, _passes), key=lambda e: getattr(e, sort))
    found = found if sort == "name" else found[::-1]
    _give(found[: limit or None], voice)


def rebuild(workdir: Path, voice: Voice) -> None:
    """Make the index again from the folders."""
    _give(list(reindex(workdir, _passes)), voice)


def show(name: str, workdir: Path, voice: Voice) -> None:
    """Show one run, read from its folder."""
    entry = entry_of(_found(name, workdir), _passes)
    words = [f"{translate(k, voice.language)}: {v}" for k, v in _row(entry, voice).items()]
    words += [f"{a}.{n.name}: {n.value:.4g} [{n.low:.4g}, {n.high:.4g}]" for a, n in entry.numbers.items()]  # fmt: skip
    voice.give(asdict(entry), "\n".join(words))


def rm(names: list[str], workdir: Path, is_sure: bool, voice: Voice) -> None:
    """Delete runs, after asking."""
    folders = [_found(name, workdir) for name in names]
    question = text("Delete {names}?", names=", ".join(f.name for f in folders))
    if not is_sure:
        typer.confirm(question.words(voice.language), abort=True, err=True)
    for folder in folders:
        remove(folder)
    voice.give({"removed": [str(f) for f in folders]})


def gc(workdir: Path, is_dry: bool, voice: Voice) -> None:
    """Delete what killed processes have left."""
    found = leftovers(workdir)
    if not is_dry:
        sweep(found)
    template = "Would be deleted: {n}." if is_dry else "Deleted: {n}."
    voice.say(template, n=len(found))
    paths = [str(p) for p in found]
    voice.give({"removed": not is_dry, "paths": paths}, "\n".join(paths) if paths else None)


def _found(name: str, workdir: Path) -> Path:
    """Return the folder that is meant: a path, or a name below `workdir`."""
    if not name.strip("./"):
        raise BadInput("This is not the folder of a run.", where=name, mend='"fivefold runs ls" lists the runs.')  # fmt: skip
    folder = workdir / name if (workdir / name).is_dir() else Path(name)
    check_run(folder)
    return folder


def _passes(run: Run) -> bool:
    return judge(run, policy_from(run.recipe["policy"])).passed


def _give(found: list[Entry], voice: Voice) -> None:
    from rich.table import Table

    shown = Table(box=None, pad_edge=False)
    for head in COLUMNS:
        shown.add_column(translate(head, voice.language), no_wrap=head == "name")
    for entry in found:
        shown.add_row(*(str(v) for v in _row(entry, voice).values()))
    voice.give([asdict(e) for e in found], shown)
    voice.say("Runs: {n}", n=len(found))


def _row(entry: Entry, voice: Voice) -> dict[str, Any]:
    return {
        "name": entry.name,
        "state": translate(entry.state, voice.language),
        "created": entry.created,
        "stages": len(entry.stages),
        "verdict": translate(entry.verdict, voice.language),
        "size": f"{entry.size / 1e6:.1f} MB",
    }
