"""What a bundle knows of the run it comes from, as a run: its own stage in full, the others by name."""

import tomllib
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from fivefold.core.cost import Cost
from fivefold.core.errors import Damaged
from fivefold.core.evidence import Finding, Missing
from fivefold.core.jsonfile import from_json
from fivefold.core.lineage import Lineage
from fivefold.core.text import text
from fivefold.deploy.bundle import verify_bundle
from fivefold.deploy.seal import MANIFEST
from fivefold.deploy.watch.live import Live
from fivefold.recipe.stage import START, Run, Stage

ELSEWHERE = text("A bundle holds evidence of the stage that ships alone; judge its run instead.")


@dataclass(frozen=True, kw_only=True)
class Told:
    """The content of `evidence.json`.

    Attributes:
        findings: What the probes found.
        changes: What the comparisons with the parent found.
    """

    findings: tuple[Finding, ...]
    changes: tuple[Finding, ...]


def run_of(folder: Path) -> Run:
    """Return the run of a bundle as far as the bundle knows it.

    Raises:
        BadInput: There is no such bundle.
        Damaged: Some byte of it is not as it was written.
    """
    about = verify_bundle(folder).about
    recipe = tomllib.loads((folder / "recipe.toml").read_text(encoding="utf-8"))
    told: Told = _read(folder / "evidence.json", Told)
    lineage: Lineage = _read(folder / "lineage.json", Lineage)
    steps: dict[str, Any] = {START: {}} | {s["name"]: s for s in recipe.get("steps", [])}
    steps.setdefault(about.stage, {})
    stages = [
        _stage(name, step, told, lineage) if name == about.stage else _stage(name, step, _gone(told), ())
        for name, step in steps.items()
    ]  # fmt: skip
    return Run(
        name=about.run, folder=folder, recipe=recipe, stages=tuple(stages), data=about.data,
        environment=about.environment, created=about.created,
    )  # fmt: skip


def check_digest(folder: Path, live: Live) -> None:
    """Do nothing if the evidence is of the bundle in `folder`, to the last byte.

    Raises:
        Damaged: It is of another.
    """
    if sha256((folder / MANIFEST).read_bytes()).hexdigest() != live.digest:
        raise Damaged(
            "This evidence is of another bundle: {name} was served, of run {run}.",
            where=str(folder),
            mend="Give the bundle that the server serves.",
            name=live.name,
            run=live.run or "-",
        )


def _read(file: Path, kind: Any) -> Any:
    return from_json(file.read_text(encoding="utf-8"), kind, where=file.name)


def _gone(told: Told) -> Told:
    return Told(findings=_missing(told.findings), changes=_missing(told.changes))


def _missing(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    return tuple(
        Missing(axis=f.axis, name=f.name, setting=f.setting, reason=ELSEWHERE) for f in findings
    )


def _stage(name: str, step: dict[str, Any], told: Told, lineage: Lineage) -> Stage:
    return Stage(
        name=name, parent="" if name == START else str(step.get("after", START)), step=step,
        lineage=lineage, findings=told.findings, changes=told.changes, cost=Cost(), probe_cost=Cost(), key="",
    )  # fmt: skip
