"""What explanations add to an attack, bounded, with a picture of the attacks."""

from collections.abc import Mapping
from typing import NamedTuple

from fivefold.core.chart import Cell, Chart
from fivefold.core.evidence import Axis, Evidence, Missing
from fivefold.core.text import Text, text
from fivefold.privacy.attacks.view import Scores
from fivefold.privacy.leakage.arms import Arms
from fivefold.privacy.leakage.release import Release
from fivefold.privacy.roc import auc, auc_gain, least_rate, tpr_at

GAIN = "leakage_auc_gain"
LEAST_FPR = 0.01
RELEASE, SEEN, MEASURE, VALUE = "release", "attacker sees", "measure", "value"


class Leak(NamedTuple):
    """Both attacks on one explainer's explanations, released in one way."""

    release: Release
    arms: Arms


def evidence_of(leaks: list[Leak], explainer: str, shadows: str, how: str) -> list[Evidence]:
    """Return the gain of each release, and one picture of all.

    Args:
        leaks: What was compared.
        explainer: Who explained.
        shadows: What the attacker knows, as part of a setting.
        how: How shadows were trained, as a sentence or nothing.
    """
    return [
        _gain(leak, f"{explainer}, {leak.release}, {shadows}", how, None if i else picture(leaks))
        for i, leak in enumerate(leaks)
    ]


def not_made(explainer: str, shadows: str, reason: Text) -> Missing:
    """Return that an explainer's explanations could not be attacked."""
    setting = f"{explainer}, {shadows}"
    return Missing(axis=Axis.PRIVACY, name=GAIN, reason=reason, setting=setting)


def _gain(leak: Leak, setting: str, how: str, chart: Chart | None) -> Evidence:
    found = auc_gain(leak.arms.told, leak.arms.without)
    return Evidence(
        axis=Axis.PRIVACY,
        name=GAIN,
        value=found.value,
        low=found.low,
        high=found.high,
        n=sum(len(s) for s in leak.arms.told),
        unit="fraction",
        better="lower",
        floor=max(0.0, leak.arms.swapped),
        setting=setting,
        interval="paired DeLong",
        note=_note(leak.arms, how),
        chart=chart,
    )


def _note(arms: Arms, how: str) -> Text:
    return text(
        "Area under the ROC curve {told} with explanations of {m} training rows and {n} test rows, {without} without, and {alone} by explanations alone; with explanations of other rows it changes by {swapped}. {how}The interval holds for this model and these shadow models. What is attacked are the sum of absolute values, variance, entropy and largest value of an explanation: an attack that gains nothing proves nothing, because another may read more from it; only epsilon bounds them all.",
        told=auc(*arms.told).value,
        without=auc(*arms.without).value,
        alone=auc(*arms.alone).value,
        m=len(arms.told.members),
        n=len(arms.told.others),
        swapped=arms.swapped,
        how=how,
    )


def picture(leaks: list[Leak]) -> Chart:
    """Return areas and rates of the attacks side by side, for each release."""
    fpr = max(LEAST_FPR, least_rate(len(leaks[0].arms.told.others)))
    rows = [row for leak in leaks for row in _rows(leak, fpr)]
    return Chart(
        title=text(
            "Members told from others without and with explanations; TPR is at a false positive rate of {fpr}",
            fpr=fpr,
        ),
        kind="bar",
        x=RELEASE,
        y=VALUE,
        rows=tuple(rows),
        series=SEEN,
        panel=MEASURE,
        low="low",
        high="high",
    )


def _rows(leak: Leak, fpr: float) -> list[Mapping[str, Cell]]:
    rows: list[Mapping[str, Cell]] = []
    arms: dict[str, Scores] = {
        "answers alone": leak.arms.without,
        "answers and explanations": leak.arms.told,
        "explanations alone": leak.arms.alone,
    }
    for seen, scores in arms.items():
        for measure, found in (("AUC", auc(*scores)), ("TPR", tpr_at(*scores, fpr))):
            assert found is not None, "the rate is one that so many others support"
            named = {RELEASE: leak.release, SEEN: seen, MEASURE: measure}
            rows.append(named | {VALUE: found.value, "low": found.low, "high": found.high})
    return rows
