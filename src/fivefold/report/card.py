"""A model card (Mitchell et al., 2019) with the `model-index` that the Hugging Face Hub reads."""

import json
import re
from collections.abc import Iterable
from math import isfinite

from fivefold.core.evidence import Axis
from fivefold.recipe import Run, Stage
from fivefold.report.findings import findings
from fivefold.report.matrix import Matrix, matrix
from fivefold.report.row import Cell, Row
from fivefold.report.verdict import Verdict
from fivefold.report.words import capital, label, words

_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~])")


def model_card(run: Run, verdict: Verdict | None = None, *, stage: str = "") -> str:
    """Return README.md for the model of one stage.

    Args:
        run: What happened.
        verdict: What a policy says of the run, if there is a policy.
        stage: Which model ships; "" is the last.
    """
    shown = run.stage(stage or run.stages[-1].name)
    table = matrix(run)
    parts = [
        _front_matter(run, shown),
        f"# {_plain(run.name)} · {_plain(shown.name)}",
        f"Predicts *{_plain(run.data.task.target)}*. Every number below was measured by Fivefold on the test split of"
        f" {_plain(run.data.name)} and is given with its 95 % interval. Nobody else has verified it.",
        *(_gate(verdict) if verdict else ()),
        "## Evidence",
        _evidence(table, shown),
        "## What it cost",
        _bullets(
            _plain(words(f.sentence, "en")) for f in findings(run) if f.stage in (shown.name, "")
        ),
        "## Not measured",
        _bullets(_missing(table, shown)),
        "## How it was made",
        _bullets(
            f"**{_plain(r.name)}** {_plain(str(r.step.get('use', '')))}" for r in shown.lineage
        ),
        "## Data",
        _data(run),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(run: Run, stage: Stage) -> str:
    task = _pipeline(run)
    dataset = {
        "type": run.data.name,
        "name": run.data.name,
        "split": "test",
        "revision": run.data.fingerprint,
    }
    metrics = [
        {"type": e.name, "name": e.key, "value": e.value, "verified": False} for e in stage.evidence if isfinite(e.value)
    ]  # fmt: skip
    lines = ["---", "library_name: fivefold", f"pipeline_tag: {task}", "tags:"]
    lines += [f"- {tag}" for tag in (*Axis, "fivefold")]
    lines += [
        "model-index:",
        f"- name: {_yaml(run.name)}",
        "  results:",
        "  - task:",
        f"      type: {task}",
        "    dataset:",
    ]
    lines += [f"      {key}: {_yaml(value)}" for key, value in dataset.items()]
    lines += ["    metrics:" if metrics else "    metrics: []"]
    for metric in metrics:
        first, *rest = (f"{key}: {_yaml(value)}" for key, value in metric.items())
        lines += [f"    - {first}", *(f"      {line}" for line in rest)]
    return "\n".join([*lines, "---"])


def _pipeline(run: Run) -> str:
    """Return the task as the Hub calls it."""
    schema = run.data.schema
    kind = "tabular" if schema.is_table else "text" if schema.is_text else "image"
    return f"{kind}-{run.data.task.kind}"


def _yaml(value: str | float | bool) -> str:
    """Return a scalar; what JSON writes is YAML too."""
    return json.dumps(value, ensure_ascii=True)


def _gate(verdict: Verdict) -> list[str]:
    kept = len(verdict.checks) - len(verdict.failures)
    told = "passed" if verdict.passed else "**failed**"
    return [
        "## Gate",
        f"Policy {told}: {kept} of {len(verdict.checks)} checks hold, on bounds rather than points.",
    ]


def _evidence(table: Matrix, stage: Stage) -> str:
    lines = [
        "| promise | number | value | 95 % interval | better | n |",
        "|---|---|---|---|---|---|",
    ]
    for row in table.rows:
        cell = _at(row, stage)
        if e := cell.evidence:
            scale = row.scale
            unit = "" if scale.unit in ("", "fraction") else f" {scale.unit}"
            bounds = scale.interval(e.low, e.high) if e.low != e.high else "exact"
            told = (
                row.axis.value,
                label(row, "en"),
                scale.show(e.value) + unit,
                bounds,
                e.better,
                f"{e.n:,}",
            )
            lines.append("| " + " | ".join(_plain(t) for t in told) + " |")
    return "\n".join(lines)


def _missing(table: Matrix, stage: Stage) -> Iterable[str]:
    for row in table.rows:
        if missing := _at(row, stage).missing:
            yield f"{_plain(capital(label(row, 'en')))}: {_plain(words(missing.reason, 'en'))}"


def _data(run: Run) -> str:
    sizes = ", ".join(f"{name} {size:,}" for name, size in run.data.sizes.items())
    return f"{_plain(run.data.name)}: {_plain(sizes)}. Fingerprint `{re.sub('[^0-9A-Za-z:._-]', '', run.data.fingerprint)}`."


def _at(row: Row, stage: Stage) -> Cell:
    return next(c for c in row.cells if c.stage == stage.name)


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines) or "Nothing."


def _plain(told: str) -> str:
    """Return text that Markdown and HTML take as it is."""
    return (
        _MARKUP.sub(r"\\\1", " ".join(told.split())).replace("\\<", "&lt;").replace("\\>", "&gt;")
    )
