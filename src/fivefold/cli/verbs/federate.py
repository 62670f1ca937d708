"""The verb that turns a recipe into a federation between machines. Everything heavy is imported inside."""

from pathlib import Path
from typing import Annotated

import typer

from fivefold.cli.app import app
from fivefold.cli.options import Json, Lang, Language, Workdir
from fivefold.cli.voice import Voice


@app.command()
def federate(  # noqa: PLR0913  each is an option of the command line
    recipe: Annotated[Path, typer.Argument(help="A recipe file.")],
    clients: Annotated[
        str, typer.Option(metavar="<a,b,c>", help="Names of all clients: bank-a,bank-b,bank-c.")
    ],
    out: Annotated[Path, typer.Option(help="Folder to write: the app, the model, a README.")],
    step: Annotated[
        str, typer.Option(help="Name of the federated step, if the recipe has several.")
    ] = "",
    host: Annotated[str, typer.Option(help="Address at which the server listens.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port at which the server listens.")
    ] = 8000,
    trial: Annotated[
        bool,
        typer.Option(
            "--try",
            help="Share out the recipe's own training rows to the clients, for a trial on one machine.",
        ),
    ] = False,
    workdir: Workdir = Path("runs"),
    json: Json = False,
    lang: Language = Lang.EN,
) -> None:
    """Write the folder with which Flower carries out a recipe's privacy.Federated between machines."""
    from fivefold.cli.federate import Wanted, federate

    names = tuple(name.strip() for name in clients.split(","))
    wanted = Wanted(clients=names, step=step, host=host, port=port, is_trial=trial)
    federate(recipe, out, wanted, workdir, Voice(language=lang.value, is_json=json))
