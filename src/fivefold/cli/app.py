"""The command itself, before it has verbs; `fivefold.cli.verbs` adds them, one room a kind."""

from typing import Annotated

import typer

from fivefold.cli.options import Lang, Language

app = typer.Typer(
    name="fivefold",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(is_asked: bool) -> None:
    if is_asked:
        from importlib.metadata import version

        typer.echo(version("fivefold"))
        raise typer.Exit


@app.callback()
def root(
    lang: Language = Lang.EN,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Say which version this is."
        ),
    ] = False,
) -> None:
    """Take a model through its life, and measure what each promise costs the others."""
