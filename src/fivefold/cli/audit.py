"""Measure a model that exists already: show the matrix, write the report."""

import os
import sys
from pathlib import Path
from typing import Any

from fivefold.cli.access import check_bundle
from fivefold.cli.bars import shown
from fivefold.cli.grid import show
from fivefold.cli.run import page_name, write_report
from fivefold.cli.voice import Voice
from fivefold.core.errors import BadInput
from fivefold.core.evidence import Missing
from fivefold.recipe import Run
from fivefold.recipe.audit import Given, Plan, Subject, Watch, audit
from fivefold.recipe.tomlfile import read_toml
from fivefold.report import matrix, read_policy
from fivefold.report.words import title, words


def perform(
    subject: Subject, given: Given, plan: Plan, place: tuple[Path, str], voice: Voice, watch: Watch
) -> Run:
    """Audit the model in a run folder (`place`: working folder and name), and write the report."""
    workdir, name = place
    with shown(voice):
        done = audit(subject, given, plan, workdir=workdir, name=name, watch=watch)
    if not voice.is_json:
        show(matrix(done), voice)
    tell_missing(done, voice)
    for note in done.data.notes:
        voice.say("  {note}", note=words(note, voice.language))
    voice.say("Writing the report ...")
    report = write_report(done, voice)
    voice.say("The model was asked: {queries}.", queries=done.environment["model queries"])
    voice.say("Report: {path}", path=str(report))
    return done


def verb(
    subject: Subject,
    given: Given,
    plan: Plan,
    place: tuple[Path, str],
    voice: Voice,
    started: float,
) -> None:
    """Audit the model and put what came out on stdout; the budget counts from `started` on."""
    from_here()
    check_bundle(subject.named)
    done = perform(subject, given, plan, place, voice, Watch(started))
    voice.give(
        {
            "run": str(done.folder),
            "report": str(done.folder / page_name(voice)),
            "queries": done.environment["model queries"],
            "notes": [words(n, voice.language) for n in done.data.notes],
            "missing": missing(done, voice),
            "matrix": matrix(done).to_rows(),
        }
    )


def missing(run: Run, voice: Voice) -> list[dict[str, str]]:
    """Return what could not be measured at the audited stage, with the reasons."""
    found = [f for f in run.stages[-1].findings if isinstance(f, Missing)]
    return [
        {"axis": f.axis.value, "key": f.key, "reason": words(f.reason, voice.language)}
        for f in found
    ]


def tell_missing(run: Run, voice: Voice) -> None:
    """Say why something was not measured, each reason once."""
    reasons: dict[str, list[str]] = {}
    for finding in run.stages[-1].findings:
        if isinstance(finding, Missing):
            name = title(finding.name, voice.language)
            reasons.setdefault(words(finding.reason, voice.language), []).append(name)
    if reasons:
        voice.say("Not measurable here:")
    comma = {"en": ", ", "zh": "、"}[voice.language]
    for reason, names in reasons.items():
        voice.say("  {names}: {reason}", names=comma.join(dict.fromkeys(names)), reason=reason)


def policy_table(path: Path | None) -> dict[str, Any]:
    """Return the table of a policy file, known to be one.

    Raises:
        BadRecipe: It is not a policy; says which line.
    """
    if path is None:
        return {}
    read_policy(path)
    return dict(read_toml(path).table)


def split_names(told: str) -> tuple[str, ...]:
    """Return names that are separated by commas."""
    return tuple(name.strip() for name in told.split(",") if name.strip())


def check_budget(seconds: float | None) -> None:
    """Refuse a budget that is no time.

    Raises:
        BadInput: It is zero, negative or not a finite number.
    """
    if seconds is not None and not 0 < seconds < float("inf"):
        raise BadInput(
            "{value} seconds are no budget.",
            where="--budget-seconds",
            mend="Give a number above 0, or leave it out.",
            value=f"{seconds:g}",
        )


def from_here() -> None:
    """Let `module:function` name a file in the folder where the command was given."""
    if (here := os.getcwd()) not in sys.path:  # noqa: PTH109 - an entry of sys.path is text
        sys.path.insert(0, here)
