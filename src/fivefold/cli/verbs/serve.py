"""The verb that serves a bundle. Everything heavy is imported inside."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from fivefold.cli.app import app
from fivefold.cli.options import Json, Lang, Language
from fivefold.cli.voice import Voice


class DetectorMode(StrEnum):
    """What the detector may do; "auto" refuses where few ordinary examples raise the alarm, else flags."""

    AUTO = "auto"
    REFUSE = "refuse"
    FLAG = "flag"
    OFF = "off"


@app.command()
def serve(  # noqa: PLR0913  every option of a server
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle.")] = Path(),
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8080,
    name: Annotated[
        str, typer.Option(help="Name of the model; that of the run if not given.")
    ] = "",
    token_file: Annotated[
        Path | None, typer.Option(help="File with hashes of the keys of clients.")
    ] = None,
    make_key: Annotated[
        str, typer.Option(help="Make a key for a client of this name, and end.")
    ] = "",
    key: Annotated[
        Path | None, typer.Option(help="Public key (PEM) that must have signed it.")
    ] = None,
    rate: Annotated[
        float, typer.Option(min=0, help="Requests per second and client; 0 for no limit.")
    ] = 0.0,
    burst: Annotated[int, typer.Option(min=1, help="Requests at once and client.")] = 100,
    detector: Annotated[
        DetectorMode,
        typer.Option(
            help="Examples unlike the training data: auto refuses them if it is wrong about 2 % at most, and flags otherwise."
        ),
    ] = DetectorMode.AUTO,
    refuse_personal: Annotated[
        bool,
        typer.Option(
            "--refuse-personal",
            help="Refuse strings with personal data: identity cards, telephones, bank cards, addresses of e-mail.",
        ),
    ] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="A further name by which callers may know this server."),
    ] = None,
    state: Annotated[Path | None, typer.Option(help="Folder for what the server writes.")] = None,
    audit_log: Annotated[
        Path | None,
        typer.Option(help="File of the audit log; in the state folder if not given."),
    ] = None,
    json: Json = False,
    lang: Language = Lang.EN,
) -> None:
    """Serve a bundle: Open Inference Protocol v2, explanations, guards, a live page."""
    from fivefold.cli.serve import Where, new_key, serve, settings_of

    voice = Voice(language=lang.value, is_json=json)
    if make_key:
        new_key(token_file, make_key, voice)
        return
    where = Where(
        host=host, port=port, token_file=token_file, state=state, key=key,
        names=tuple(allow_host or ()), audit_log=audit_log,
    )  # fmt: skip
    settings = settings_of(
        bundle, name, (rate, burst), detector.value, refuses_personal=refuse_personal
    )
    serve(bundle, where, settings, voice)
