"""Write what a run found: page, numbers or model card."""

from pathlib import Path

from fivefold.cli.voice import Voice
from fivefold.core.atomic import write_atomic
from fivefold.core.jsonfile import to_json
from fivefold.recipe import Run, read_run
from fivefold.report import judge, matrix, model_card, page, policy_from


def report(folder: Path, out: Path | None, kind: str, stage: str, voice: Voice) -> None:
    """Write the report of the run in `folder` and say where it is."""
    run = read_run(folder)
    stage = run.asked_for(stage).name
    name = {"html": "report.html", "json": "report.json", "card": "MODEL_CARD.md"}[kind]
    path = out or folder / (name if voice.language == "en" or kind != "html" else "report.zh.html")
    if kind == "html":
        voice.say("Writing the report ...")  # its pictures take seconds
    write_atomic(path, _content(run, kind, stage, voice))
    voice.give({"path": str(path)})
    voice.say("Report: {path}", path=str(path))


def _content(run: Run, kind: str, stage: str, voice: Voice) -> str:
    if kind == "json":
        return to_json({"run": run, "matrix": matrix(run).to_rows()})
    verdict = judge(run, policy_from(run.recipe["policy"])) if run.recipe["policy"] else None
    if kind == "card":
        return model_card(run, verdict, stage=stage)
    return page(run, voice.language, verdict, stage=stage)
