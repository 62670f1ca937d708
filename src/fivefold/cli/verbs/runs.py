"""Verbs for the folder of runs: list, show, delete, tidy."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from fivefold.cli.app import app
from fivefold.cli.options import Json, Lang, Language, Workdir
from fivefold.cli.voice import Voice

runs = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(runs, name="runs", help="List, show and delete runs.")


class Sort(StrEnum):
    """What runs are sorted by."""

    NAME = "name"
    CREATED = "created"
    SIZE = "size"


RunName = Annotated[str, typer.Argument(metavar="RUN", help="Name or folder of a run.")]


@runs.command()
def ls(
    workdir: Workdir = Path("runs"),
    limit: Annotated[int, typer.Option(min=0, help="How many to show; 0 for all.")] = 0,
    sort: Annotated[Sort, typer.Option(help="Sort by name, created or size.")] = Sort.CREATED,
    json: Json = False,
    lang: Language = Lang.EN,
) -> None:
    """List the runs, the newest first."""
    from fivefold.cli.runs import ls

    ls(workdir, limit, sort.value, Voice(language=lang.value, is_json=json))


@runs.command()
def show(
    run: RunName, workdir: Workdir = Path("runs"), json: Json = False, lang: Language = Lang.EN
) -> None:
    """Show one run."""
    from fivefold.cli.runs import show

    show(run, workdir, Voice(language=lang.value, is_json=json))


@runs.command()
def rm(
    run: Annotated[list[str], typer.Argument(metavar="RUN...", help="Names or folders of runs.")],
    workdir: Workdir = Path("runs"),
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
    lang: Language = Lang.EN,
) -> None:
    """Delete runs."""
    from fivefold.cli.runs import rm

    rm(run, workdir, yes, Voice(language=lang.value, is_json=json))


@runs.command()
def gc(
    workdir: Workdir = Path("runs"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would be.")] = False,
    json: Json = False,
    lang: Language = Lang.EN,
) -> None:
    """Delete what killed processes have left."""
    from fivefold.cli.runs import gc

    gc(workdir, dry_run, Voice(language=lang.value, is_json=json))


@runs.command()
def reindex(workdir: Workdir = Path("runs"), json: Json = False, lang: Language = Lang.EN) -> None:
    """Make the index of the runs again from their folders."""
    from fivefold.cli.runs import rebuild

    rebuild(workdir, Voice(language=lang.value, is_json=json))
