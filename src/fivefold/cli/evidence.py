"""Write evidence for a framework, or a bill of materials."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from fivefold.cli.voice import Voice
from fivefold.core.atomic import write_atomic
from fivefold.core.errors import BadInput, Damaged
from fivefold.core.jsonfile import to_json
from fivefold.core.text import Language, Text
from fivefold.deploy import verify_bundle
from fivefold.recipe import Run, read_run
from fivefold.report import judge, policy_from
from fivefold.report.exports import (
    FRAMEWORKS,
    FrameworkName,
    Sheet,
    Subject,
    evidence_markdown,
    evidence_page,
    found_statements,
    ml_bom,
    sheet,
    subject_of,
    to_dict,
)
from fivefold.report.exports.subject import digest_of

ENDINGS = {"html": "html", "json": "json", "md": "md"}
BOM = "bom.cdx.json"
WEIGHTS = "model.safetensors"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be written.

    Attributes:
        framework: Name of a framework; "" for a bill of materials.
        kind: Format of the file.
        stage: Name of a stage; "" is the last.
        statements: File with what the author states; None looks in the run folder.
        language: Language that was asked for; None is that of the framework.
    """

    framework: str
    kind: str
    stage: str = ""
    statements: Path | None = None
    language: Language | None = None


def export(folder: Path, out: Path | None, wanted: Wanted, voice: Voice) -> None:
    """Write the evidence of the run in `folder` and say where it is, and how much is missing.

    Raises:
        BadInput: Framework and format do not go together, there is no such stage, or a statement is wrong.
    """
    _check(wanted)
    run = read_run(folder)
    subject = _subject(run, wanted, voice)
    if wanted.kind == "mlbom":
        path = out or folder / BOM
        write_atomic(path, to_json(ml_bom(subject, wanted.language or "en")) + "\n")
        voice.give({"path": str(path)})
        voice.say("Bill of materials: {path}", path=str(path))
        return
    answered = sheet(cast(FrameworkName, wanted.framework), subject, wanted.language)
    path = out or folder / _name(answered, wanted.kind)
    write_atomic(path, _content(answered, wanted.kind))
    _tell(answered, path, voice)


def _check(wanted: Wanted) -> None:
    if wanted.framework:
        if wanted.kind not in ENDINGS:
            raise BadInput(
                "--evidence and --format {kind} do not go together.",
                where="--format",
                mend="Evidence can be written as: {known}.",
                kind=wanted.kind,
                known=", ".join(ENDINGS),
            )
    elif wanted.kind == "md":
        raise BadInput(
            "--format {kind} needs --evidence.",
            where="--format",
            mend="Name a framework: {known}.",
            kind=wanted.kind,
            known=", ".join(FRAMEWORKS),
        )
    elif wanted.kind != "mlbom":
        raise BadInput(
            "A {kind} report holds no statements.",
            where="--statements",
            mend="Give --statements with --evidence or with --format mlbom.",
            kind=wanted.kind,
        )


def _subject(run: Run, wanted: Wanted, voice: Voice) -> Subject:
    limits = run.recipe.get("policy")
    bare = subject_of(
        run,
        wanted.stage,
        statements=found_statements(run.folder, wanted.statements),
        verdict=judge(run, policy_from(limits)) if limits else None,
    )
    return bare._replace(seal=_seal(bare, voice))


def _seal(of: Subject, voice: Voice) -> Text:
    """Return what can be shown of the bundle that "fivefold bundle" leaves in the run folder."""
    path = of.run.folder / f"{of.run.name}-{of.stage.name}.bundle"
    if not path.is_dir():
        return Text("")
    try:
        status = verify_bundle(path).status
    except Damaged:
        voice.say("The bundle {path} is damaged, so the evidence says nothing of it.", path=str(path))  # fmt: skip
        return Text("")
    if digest_of(path / WEIGHTS) != dict(of.files()).get(WEIGHTS):
        voice.say("The bundle {path} holds another model, so the evidence says nothing of it.", path=str(path))  # fmt: skip
        return Text("")
    return status


def _name(answered: Sheet, kind: str) -> str:
    spoken = "" if answered.language == "en" else f".{answered.language}"
    return f"evidence-{answered.framework}{spoken}.{ENDINGS[kind]}"


def _content(answered: Sheet, kind: str) -> str:
    if kind == "json":
        return to_json(to_dict(answered)) + "\n"
    return evidence_markdown(answered) if kind == "md" else evidence_page(answered)


def _tell(answered: Sheet, path: Path, voice: Voice) -> None:
    counts = answered.counts
    voice.give({"path": str(path), "counts": counts})
    voice.say(
        "{measured} measured, {stated} stated, {missing} MISSING; {partly} answered in part.",
        measured=counts["measured"],
        stated=counts["stated"],
        missing=counts["MISSING"],
        partly=counts["partly"],
    )
    voice.say("Evidence: {path}", path=str(path))
