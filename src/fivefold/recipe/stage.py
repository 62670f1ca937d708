"""What happened: one stage per step, and the run they make."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from fivefold.core.cost import Cost
from fivefold.core.errors import BadInput
from fivefold.core.evidence import Evidence, Finding
from fivefold.core.lineage import Lineage
from fivefold.core.schema import Schema
from fivefold.core.task import Task
from fivefold.core.text import Text

START = "start"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The model after a step, and what was found about it.

    Attributes:
        name: Name in the recipe; "start" for the model as it came.
        parent: Name of the stage it started from; "" for the start.
        step: The encoded step; empty for the start.
        lineage: What was done to the model, oldest first.
        findings: What the probes found.
        changes: What the comparisons with the parent found.
        cost: What the step took.
        probe_cost: What the probes took.
        key: Hash of everything the model depends on.
        was_cached: Whether the step was not run again because nothing had changed.
    """

    name: str
    parent: str
    step: Mapping[str, Any]
    lineage: Lineage
    findings: tuple[Finding, ...]
    changes: tuple[Finding, ...]
    cost: Cost
    probe_cost: Cost
    key: str
    was_cached: bool = False

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """What was really measured, comparisons included."""
        return tuple(f for f in (*self.findings, *self.changes) if isinstance(f, Evidence))


@dataclass(frozen=True, kw_only=True)
class DataCard:
    """What the report says of the data, without any of it.

    Attributes:
        name: Name of the data.
        fingerprint: Content hash.
        task: What is predicted.
        schema: What is known of the inputs.
        sizes: Examples per split.
        balance: Examples per class in the training split; empty for regression.
        notes: Findings of loading.
    """

    name: str
    fingerprint: str
    task: Task
    schema: Schema
    sizes: Mapping[str, int]
    balance: Mapping[str, int] = field(default_factory=dict[str, int])
    notes: tuple[Text, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Run:
    """A recipe that was carried out.

    Attributes:
        name: Name of the run.
        folder: Where its files are.
        recipe: The recipe as a table.
        stages: In the order of the recipe; the start first.
        data: What the data were.
        environment: Versions, threads and machine, by name.
        created: When it ended, ISO 8601, UTC.
    """

    name: str
    folder: Path
    recipe: Mapping[str, Any]
    stages: tuple[Stage, ...]
    data: DataCard
    environment: Mapping[str, str]
    created: str

    def stage(self, name: str) -> Stage:
        """Return the stage called `name`.

        Raises:
            KeyError: There is none.
        """
        return {s.name: s for s in self.stages}[name]

    def asked_for(self, name: str = "") -> Stage:
        """Return the stage that somebody names; the last one if the name is empty.

        Raises:
            BadInput: There is none.
        """
        known = {s.name: s for s in self.stages}
        if not known or (name and name not in known):
            raise BadInput(
                "The run has no stage called {name}.",
                where=str(self.folder),
                mend="It has: {known}.",
                name=name,
                known=", ".join(known),
            )
        return known[name] if name else self.stages[-1]

    def parent_of(self, stage: Stage) -> Stage | None:
        """Return the stage that `stage` started from; None for the start."""
        return self.stage(stage.parent) if stage.parent else None

    def _repr_html_(self) -> str:
        head = "<tr><th>stage</th><th>from</th><th>step</th><th>seconds</th><th>numbers</th></tr>"
        rows = "".join(_html_row(stage) for stage in self.stages)
        return f"<b>{escape(self.name)}</b> <small>{escape(str(self.folder))}</small><table>{head}{rows}</table>"


def _html_row(stage: Stage) -> str:
    step, seconds = str(stage.step.get("use", "")), stage.cost.told
    cells = (stage.name, stage.parent, step, seconds, str(len(stage.evidence)))
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
