"""Verbs of a model's life: write a recipe, run it, report, judge, ship. Everything heavy is imported inside."""

from pathlib import Path
from typing import Annotated

import typer

from fivefold.cli.app import app
from fivefold.cli.options import (
    DeviceName,
    EvidenceName,
    Format,
    Json,
    Lang,
    Language,
    RunPath,
    StageName,
    Workdir,
)
from fivefold.cli.voice import Voice


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where to write.")] = Path(),
    data: Annotated[
        Path | None, typer.Option(help="A CSV, Parquet or JSONL file to start from.")
    ] = None,
    target: Annotated[str, typer.Option(help="The column to predict.")] = "",
    json: Json = False,
    lang: Language = Lang.EN,
) -> None:
    """Write a recipe and a policy to start from."""
    from fivefold.cli.init import init

    init(folder, data, target, Voice(language=lang.value, is_json=json))


@app.command()
def doctor(json: Json = False, lang: Language = Lang.EN) -> None:
    """Say what this machine has, and what to mend."""
    from fivefold.cli.doctor import doctor

    doctor(Voice(language=lang.value, is_json=json))


@app.command()
def run(
    recipe: Annotated[Path, typer.Argument(help="A recipe file.")],
    workdir: Workdir = Path("runs"),
    force: Annotated[
        list[str] | None, typer.Option(help="Carry out this stage even if nothing has changed.")
    ] = None,
    device: Annotated[
        DeviceName, typer.Option(help="Where networks are trained.")
    ] = DeviceName.AUTO,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write TensorBoard scalars as well.")
    ] = False,
    json: Json = False,
    lang: Language = Lang.EN,
) -> None:
    """Carry out a recipe: step, measure, step, measure; then write the report."""
    from fivefold.cli.run import run

    run(
        recipe,
        workdir,
        frozenset(force or ()),
        device.value,
        tensorboard,
        Voice(language=lang.value, is_json=json),
    )


@app.command()
def report(  # noqa: PLR0913  each is an option of the command line
    context: typer.Context,
    run: RunPath,
    out: Annotated[
        Path | None, typer.Option(help="File to write; in the run folder if not given.")
    ] = None,
    format: Annotated[
        Format,
        typer.Option(
            metavar="<kind>",
            help="html, json, card (a model card), md (with --evidence) or mlbom (CycloneDX).",
        ),
    ] = Format.HTML,
    stage: StageName = "",
    evidence: Annotated[
        EvidenceName | None,
        typer.Option(
            metavar="<name>",
            help="Evidence for annex-iv, nist, iso42001 or cn (in Chinese unless --lang en follows).",
        ),
    ] = None,
    statements: Annotated[
        Path | None,
        typer.Option(
            help="File with what you state; statements.toml in the run folder if not given."
        ),
    ] = None,
    json: Json = False,
    lang: Language = Lang.EN,
) -> None:
    """Write the report of a run."""
    voice = Voice(language=lang.value, is_json=json)
    if evidence is None and format not in (Format.MD, Format.MLBOM) and statements is None:
        from fivefold.cli.report import report

        report(run, out, format.value, stage, voice)
        return
    from fivefold.cli.evidence import Wanted, export

    source = context.get_parameter_source("lang")
    is_asked = lang == Lang.ZH or (source is not None and source.name == "COMMANDLINE")
    wanted = Wanted(
        framework=evidence.value if evidence else "", kind=format.value, stage=stage,
        statements=statements, language=lang.value if is_asked else None,
    )  # fmt: skip
    export(run, out, wanted, voice)


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(help="Two or more run folders.")],
    stage: StageName = "",
    json: Json = False,
    lang: Language = Lang.EN,
) -> None:
    """Put runs side by side, the first as the one compared with."""
    from fivefold.cli.compare import compare

    compare(runs, stage, Voice(language=lang.value, is_json=json))


@app.command()
def gate(  # noqa: PLR0913  each is an option of the command line
    run: RunPath,
    policy: Annotated[
        Path | None, typer.Option(help="A policy file; the recipe's own if not given.")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(help="Write the verdict as JUnit XML as well.")
    ] = None,
    live: Annotated[
        str,
        typer.Option(
            metavar="<file or address>",
            help="Judge what a server has found as well: its live.json or address. The run may be a bundle.",
        ),
    ] = "",
    token_file: Annotated[
        Path | None, typer.Option(help="File with the key to show to that server.")
    ] = None,
    max_age: Annotated[
        float, typer.Option(min=0, help="Minutes after which live evidence is none.")
    ] = 60.0,
    json: Json = False,
    lang: Language = Lang.EN,
) -> None:
    """Judge a run by a policy; exit code 4 if a limit is broken or a required number is missing."""
    voice = Voice(language=lang.value, is_json=json)
    if live or token_file:
        from fivefold.cli.live import Source, gate_live

        gate_live(run, Source(live, token_file, max_age), policy, junit, voice)
        return
    from fivefold.cli.gate import gate

    gate(run, policy, junit, voice)


@app.command()
def bundle(
    run: RunPath,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write; in the run folder if not given.")
    ] = None,
    stage: StageName = "",
    sign: Annotated[
        Path | None, typer.Option(help="Private key (PEM); made if it does not exist.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing bundle.")
    ] = False,
    json: Json = False,
    lang: Language = Lang.EN,
) -> None:
    """Pack a stage for shipping: weights, recipe, lineage, evidence, hashes, signature."""
    from fivefold.cli.bundle import bundle

    bundle(run, out, stage, sign, overwrite, Voice(language=lang.value, is_json=json))


@app.command()
def verify(
    bundle: Annotated[Path | None, typer.Argument(help="Folder of a bundle.")] = None,
    key: Annotated[
        Path | None, typer.Option(help="Public key (PEM) that must have signed it.")
    ] = None,
    audit_log: Annotated[
        Path | None, typer.Option(help="The audit log of a server to check.")
    ] = None,
    head: Annotated[
        str, typer.Option(help="Hash of a row of that log, noted down elsewhere.")
    ] = "",
    json: Json = False,
    lang: Language = Lang.EN,
) -> None:
    """Check a bundle or an audit log; exit code 5 if any byte, file, row or signature is not as it was."""
    from fivefold.cli.audit_log import nothing_to_verify, verify_log
    from fivefold.cli.bundle import verify

    if (bundle is None) == (audit_log is None):
        raise nothing_to_verify()
    voice = Voice(language=lang.value, is_json=json)
    if audit_log:
        verify_log(audit_log, head, voice)
    elif bundle:
        verify(bundle, key, voice)


@app.command("list")
def list_(
    name: Annotated[str, typer.Argument(help="Show one in full, such as privacy.DPSGD.")] = "",
    json: Json = False,
    lang: Language = Lang.EN,
) -> None:
    """List the steps, probes and parts that a recipe can name."""
    from fivefold.cli.listing import listing

    listing(name, Voice(language=lang.value, is_json=json))


@app.command()
def demo(workdir: Workdir = Path("runs"), json: Json = False, lang: Language = Lang.EN) -> None:
    """Run two recipes on bundled data: matrix, report, gate, bundle. Offline."""
    from fivefold.cli.demo import demo

    demo(workdir, Voice(language=lang.value, is_json=json))
