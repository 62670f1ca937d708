"""A whole run written by hand: a tree of six stages with evidence, reasons and pictures on every axis."""

from dataclasses import replace
from math import exp, inf, sin
from pathlib import Path
from typing import Any

from fivefold.core.chart import Chart
from fivefold.core.cost import Cost
from fivefold.core.evidence import Axis, Evidence, Finding, Missing
from fivefold.core.interval import wilson
from fivefold.core.lineage import Claim, Record
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.core.text import Text, text
from fivefold.privacy.plan import Plan
from fivefold.recipe import DataCard, Run, Stage

NAMES = ("start", "plain", "private", "robust", "small", "int8")
PARENTS = ("", "start", "start", "plain", "robust", "small")
STEPS: tuple[dict[str, Any], ...] = (
    {},
    {"use": "learning.Finetune", "epochs": 40, "size": 32},
    {"use": "privacy.DPSGD", "noise_multiplier": 1.1, "clip_norm": 1.0, "rate": 0.08, "steps": 400},
    {"use": "generalization.AdversarialTraining", "eps": 0.1, "epochs": 30},
    {"use": "efficiency.Distill", "student": {"use": "models.MLP", "hidden": [16]}, "epochs": 60},
    {"use": "efficiency.Quantize", "bits": 8},
)
SETTING = "linf eps 0.1"

PLAN = Plan(rate=0.1, steps=300, clip_norm=1.0, noise_multiplier=1.4, delta=1e-5)


def fraction(axis: Axis, name: str, value: float, n: int = 171, **more: Any) -> Evidence:
    low, high = wilson(round(value * n), n)
    base: dict[str, Any] = {
        "better": "higher",
        "unit": "fraction",
        "interval": "Wilson",
        "n": n,
        "ceiling": 1.0,
    }
    return Evidence(
        axis=axis, name=name, value=round(value * n) / n, low=low, high=high, **(base | more)
    )


def number(axis: Axis, name: str, value: float, spread: float, unit: str, **more: Any) -> Evidence:
    base: dict[str, Any] = {
        "better": "lower",
        "n": 200,
        "interval": "order statistics" if spread else "exact",
    }
    low, high = value * (1 - spread), value * (1 + spread)
    return Evidence(
        axis=axis, name=name, value=value, low=low, high=high, unit=unit, **(base | more)
    )


def learning(i: int) -> list[Finding]:
    accuracy = (0.41, 0.965, 0.91, 0.936, 0.93, 0.93)[i]
    rows = [
        {
            "class": c,
            "F1": max(0.0, accuracy - d),
            "low": max(0.0, accuracy - d - 0.05),
            "high": min(1.0, accuracy - d + 0.04),
        }
        for c, d in (("benign", 0.0), ("malignant", 0.02))
    ]
    chart = Chart(
        title=text("F1 score of each class"),
        kind="bar",
        x="class",
        y="F1",
        low="low",
        high="high",
        rows=tuple(rows),
    )
    return [
        fraction(Axis.LEARNING, "accuracy", accuracy, floor=0.626),
        replace(
            fraction(Axis.LEARNING, "f1", accuracy - 0.01, floor=0.385, interval="bootstrap"),
            chart=chart,
        ),
        fraction(
            Axis.LEARNING,
            "roc_auc",
            (0.5, 0.994, 0.97, 0.985, 0.983, 0.982)[i],
            floor=0.5,
            interval="bootstrap",
        ),
    ]


def explanation(i: int) -> list[Finding]:
    k = (0.1, 2.2, 1.4, 3.0, 2.8, 2.7)[i]
    rows = [
        {"share removed": s / 20, "score": exp(-k * d * s / 20), "order": o}
        for o, d in (("attribution", 1.5), ("random", 0.5))
        for s in range(21)
    ]
    chart = Chart(
        title=text("What is left of the answer as inputs are removed"),
        kind="line",
        x="share removed",
        y="score",
        series="order",
        rows=tuple(rows),
    )
    note = text("Measured against removing inputs in random order.")
    found: list[Finding] = [
        Evidence(
            axis=Axis.EXPLANATION,
            name="deletion_gain",
            value=0.05 + 0.1 * k,
            low=0.02 + 0.08 * k,
            high=0.08 + 0.12 * k,
            n=100,
            unit="fraction",
            better="higher",
            floor=0.05,
            ceiling=1.0,
            interval="bootstrap",
            note=note,
            chart=chart,
        ),
        number(
            Axis.EXPLANATION,
            "instability",
            (0.8, 0.31, 0.22, 0.12, 0.14, 0.15)[i],
            0.2,
            "",
            interval="bootstrap",
        ),
    ]
    return found


def privacy(i: int) -> list[Finding]:
    epsilon = (0.0, inf, 2.87, inf, inf, inf)[i]
    auc = (0.5, 0.583, 0.512, 0.561, 0.548, 0.547)[i]
    rows = [
        {
            "false positive rate": (f / 30) ** 2,
            "true positive rate": ((f / 30) ** 2) ** (1.6 - 1.6 * (auc - 0.12)),
        }
        for f in range(31)
    ]
    chart = Chart(
        title=text("Members told from strangers"),
        kind="line",
        x="false positive rate",
        y="true positive rate",
        rows=tuple(rows),
        diagonal=True,
    )
    note = (
        text("Nothing read the data through a private mechanism.") if epsilon == inf else Text("")
    )
    found: list[Finding] = [
        Evidence(
            axis=Axis.PRIVACY,
            name="epsilon",
            value=epsilon,
            low=epsilon,
            high=epsilon,
            n=1,
            unit="",
            better="lower",
            ceiling=0.0,
            setting="delta 1e-05",
            interval="exact",
            note=note,
        ),
        Evidence(
            axis=Axis.PRIVACY,
            name="membership_auc",
            value=auc,
            low=auc - 0.04,
            high=auc + 0.04,
            n=398,
            unit="fraction",
            better="lower",
            floor=0.5,
            interval="DeLong",
            chart=chart,
        ),
    ]
    return found


def generalization(i: int) -> list[Finding]:
    robust, k = (0.37, 0.22, 0.53, 0.79, 0.76, 0.75)[i], (1, 14, 8, 3, 3.3, 3.4)[i]
    rows = [
        {"eps": e / 40, "accuracy": v, "low": max(0.0, v - 0.05), "high": min(1.0, v + 0.04)}
        for e in range(9)
        for v in [
            max(0.05, (0.41, 0.965, 0.91, 0.936, 0.93, 0.93)[i] * exp(-k * (e / 40) ** 1.3 * 2))
        ]
    ]
    curve = Chart(
        title=text("Accuracy as the attack grows"),
        kind="line",
        x="eps",
        y="accuracy",
        low="low",
        high="high",
        rows=tuple(rows),
    )
    heat = Chart(
        title=text("Accuracy under corruptions"),
        kind="heat",
        x="severity",
        y="corruption",
        rows=tuple(
            {
                "severity": s,
                "corruption": c,
                "value": max(0.1, 0.95 - 0.04 * s * d - 0.02 * (5 - i)),
            }
            for s in range(1, 6)
            for c, d in (
                ("noise", 2),
                ("blur", 1.2),
                ("missing values", 1.7),
                ("shift", 0.8),
                ("rounding", 0.3),
            )
        ),
    )
    calibration = Chart(
        title=text("Confidence against how often it is right"),
        kind="points",
        x="confidence",
        y="accuracy",
        low="low",
        high="high",
        diagonal=True,
        rows=tuple(
            {
                "confidence": b / 10 + 0.05,
                "accuracy": v,
                "low": max(0.0, v - 0.09),
                "high": min(1.0, v + 0.07),
            }
            for b in range(5, 10)
            for v in [b / 10 + 0.05 - 0.03 * sin(b * 3 + i)]
        ),
    )
    return [
        replace(
            fraction(
                Axis.GENERALIZATION,
                "robust_accuracy",
                robust,
                setting=SETTING,
                note=text("40 steps of PGD from 3 starts; a stronger attack may get further."),
            ),
            chart=curve,
        ),
        replace(
            fraction(
                Axis.GENERALIZATION, "corruption_accuracy", (0.4, 0.81, 0.8, 0.88, 0.86, 0.86)[i]
            ),
            chart=heat,
        ),
        number(
            Axis.GENERALIZATION,
            "calibration_error",
            (0.12, 0.021, 0.06, 0.048, 0.051, 0.052)[i],
            0.4,
            "fraction",
            floor=None,
            chart=calibration,
            interval="bootstrap",
        ),
        fraction(
            Axis.GENERALIZATION,
            "worst_group_accuracy",
            (0.3, 0.93, 0.85, 0.9, 0.89, 0.89)[i],
            n=54,
            note=text(
                "The worst group is {group} with {n} examples.", group="radius 17 to inf", n=54
            ),
        ),
    ]


def efficiency(i: int) -> list[Finding]:
    ms = (0.11, 0.11, 0.11, 0.11, 0.052, 0.061)[i]
    size = (21.4, 21.4, 21.4, 21.4, 3.1, 1.2)[i] * 1e3
    return [
        number(
            Axis.EFFICIENCY, "latency_p50", ms * 1e-3, 0.06, "seconds", setting="batch 1, 1 thread"
        ),
        number(
            Axis.EFFICIENCY, "latency_p95", ms * 1.7e-3, 0.2, "seconds", setting="batch 1, 1 thread"
        ),
        number(Axis.EFFICIENCY, "size", size, 0.0, "bytes", n=1),
        number(
            Axis.EFFICIENCY,
            "energy",
            ms * 1.3e-2,
            0.3,
            "joules",
            note=text("Estimated from processor time at 15 W; not measured."),
        ),
    ]


def security(i: int) -> list[Finding]:
    if NAMES[i] == "int8":
        return [
            Missing(
                axis=Axis.SECURITY,
                name="detection",
                reason=text(
                    "{step} needs gradients, and a {model} has none.",
                    step="Detection",
                    model="QuantizedModel",
                ),
            )
        ]
    adaptive = (0.05, 0.06, 0.09, 0.21, 0.18, 0.18)[i]
    return [
        fraction(
            Axis.SECURITY,
            "tpr_at_5_percent_fpr",
            (0.05, 0.71, 0.4, 0.55, 0.52, 0.5)[i],
            setting="static",
            floor=0.05,
            n=120,
        ),
        fraction(
            Axis.SECURITY, "tpr_at_5_percent_fpr", adaptive, setting="adaptive", floor=0.05, n=120
        ),
        number(
            Axis.SECURITY,
            "extraction_fidelity",
            (0.6, 0.93, 0.9, 0.91, 0.92, 0.92)[i],
            0.03,
            "fraction",
            setting="200 queries",
        ),
    ]


def changes(i: int) -> tuple[Finding, ...]:
    if not i:
        return ()
    return (
        fraction(
            Axis.EXPLANATION,
            "attribution_agreement",
            (0, 0.2, 0.25, 0.71, 0.88, 0.985)[i],
            interval="bootstrap",
        ),
        Missing(
            axis=Axis.EXPLANATION,
            name="attribution_drift",
            reason=text(
                "{step} needs gradients, and a {model} has none.",
                step="AttributionDrift",
                model="QuantizedModel",
            ),
        ),
    )


def stage(i: int) -> Stage:
    findings = [
        f
        for axis in (learning, explanation, privacy, generalization, efficiency, security)
        for f in axis(i)
    ]
    lineage, at = [], i
    while at:
        private = PLAN.record(seeded=False) if NAMES[at] == "private" else {}
        lineage.insert(
            0, Record(NAMES[at], STEPS[at], "sha256:" + f"{at}f3c" * 8, Claim(privacy=private))
        )
        at = NAMES.index(PARENTS[at])
    return Stage(
        name=NAMES[i], parent=PARENTS[i], step=STEPS[i], lineage=tuple(lineage), findings=tuple(findings), changes=changes(i),
        cost=Cost(3.1 * i, 3.0 * i, 320_000_000), probe_cost=Cost(6.2, 6.1, 340_000_000), key=f"{i}ab4" * 16, was_cached=i == 1,
    )  # fmt: skip


def made_up() -> Run:
    columns = tuple(
        Column(name=f"mean {n}", low=0.0, high=40.0, is_protected=n == "radius")
        for n in ("radius", "texture", "area", "smoothness")
    )
    data = DataCard(
        name="breast cancer", fingerprint="9d1f" * 16, task=Task(classes=("malignant", "benign"), target="diagnosis"),
        schema=Schema(columns=columns, shape=(4,)), sizes={"train": 284, "valid": 114, "test": 171},
        balance={"malignant": 106, "benign": 178}, notes=(text("No row is in two splits."),),
    )  # fmt: skip
    recipe = {
        "name": "medical", "seed": 0, "data": {"use": "data.BreastCancer"}, "model": {"use": "models.MLP", "hidden": [64, 64]},
        "steps": [{"name": n, "after": p} | s for n, p, s in zip(NAMES[1:], PARENTS[1:], STEPS[1:], strict=True)],
    }  # fmt: skip
    environment = {
        "python": "3.11.7",
        "torch": "2.13.0+cpu",
        "threads": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
        "processor": "Xeon",
        "load average": "0.42 on 2 cores",
    }
    return Run(
        name="medical", folder=Path("runs/medical"), recipe=recipe, stages=tuple(stage(i) for i in range(6)),
        data=data, environment=environment, created="2026-11-24T06:30:08+00:00",
    )  # fmt: skip


POLICY = {
    "stage": "small",
    "limits": [
        {"evidence": "learning.accuracy", "at_least": 0.85},
        {"evidence": "learning.accuracy", "max_drop": 0.1, "against": "plain"},
        {"evidence": "generalization.robust_accuracy", "at_least": 0.65},
        {"evidence": "privacy.membership_auc", "at_most": 0.6},
        {"evidence": "privacy.epsilon", "at_most": 8.0},
        {"evidence": "security.tpr_at_5_percent_fpr[adaptive]", "at_least": 0.5, "stage": "int8"},
        {"evidence": "efficiency.size", "at_most": 10000},
    ],
}
