"""What an attack's scores show, bounded; what they are too few to show is said to be missing."""

from collections.abc import Mapping
from dataclasses import replace
from math import log10
from typing import NamedTuple

from fivefold.core.chart import Cell, Chart
from fivefold.core.evidence import Axis, Evidence, Finding, Missing
from fivefold.core.text import Text, text
from fivefold.privacy.attacks.view import Scores
from fivefold.privacy.roc import Bounded, auc, curve, least_rate, others_for, tpr_at

AUC = "attack_auc"
RATES: Mapping[float, str] = {0.01: "tpr_at_1_percent_fpr", 0.001: "tpr_at_0_1_percent_fpr"}
FALSE_AXIS, TRUE_AXIS = "log10 of false positive rate", "log10 of true positive rate"


class Attempt(NamedTuple):
    """An attack that was made: its name with what it used, its scores, and how its shadows were trained."""

    setting: str
    scores: Scores
    how: str = ""


def evidence_of(attempts: list[Attempt]) -> list[Finding]:
    """Return area and rates of each attack, and one picture of all."""
    found: list[Finding] = []
    for i, attempt in enumerate(attempts):
        found.append(_auc(attempt, None if i else picture(attempts)))
        found += [one for fpr in RATES if (one := _tpr(attempt, fpr))]
    most = max((len(a.scores.others) for a in attempts), default=0)
    return found + [_too_few(most, fpr) for fpr in RATES if attempts and most < others_for(fpr)]


def not_made(setting: str, reason: Text) -> Missing:
    """Return that an attack could not be made."""
    return Missing(axis=Axis.PRIVACY, name=AUC, reason=reason, setting=setting)


def _auc(attempt: Attempt, chart: Chart | None) -> Evidence:
    m, n = (len(s) for s in attempt.scores)
    note = text(
        "{m} training rows against {n} test rows, which support false positive rates from {least}. {how}Any difference between the two that is not membership helps the attack too, and a stronger attack may find more; only epsilon bounds every attack.",
        m=m,
        n=n,
        least=least_rate(n),
        how=attempt.how,
    )
    found = _evidence(attempt, AUC, auc(*attempt.scores), note)
    return replace(found, floor=0.5, interval="DeLong", chart=chart)


def _tpr(attempt: Attempt, fpr: float) -> Evidence | None:
    found, n = tpr_at(*attempt.scores, fpr), len(attempt.scores.others)
    if found is None:
        return None
    note = text(
        "The smallest false positive rate that {n} test rows support is {least}. The interval covers the threshold too, which was estimated from the same test rows.",
        n=n,
        least=least_rate(n),
    )
    made = _evidence(attempt, RATES[fpr], found, note)
    return replace(made, floor=fpr, interval="order statistics and Clopper-Pearson")


def _too_few(n: int, fpr: float) -> Missing:
    reason = text(
        "A false positive rate of {fpr} needs {needed} test rows, so that ten are accused wrongly; there are {n}, which support rates from {least}.",
        fpr=fpr,
        needed=others_for(fpr),
        n=n,
        least=least_rate(n),
    )
    return Missing(axis=Axis.PRIVACY, name=RATES[fpr], reason=reason)


def _evidence(attempt: Attempt, name: str, found: Bounded, note: Text) -> Evidence:
    return Evidence(
        axis=Axis.PRIVACY,
        name=name,
        value=found.value,
        low=found.low,
        high=found.high,
        n=sum(len(s) for s in attempt.scores),
        unit="fraction",
        better="lower",
        setting=attempt.setting,
        note=note,
    )


def picture(attempts: list[Attempt]) -> Chart:
    """Return the ROC curves on logarithmic axes, where the few people found for sure can be seen."""
    rows: list[Mapping[str, Cell]] = [
        {FALSE_AXIS: round(log10(f), 4), TRUE_AXIS: round(log10(t), 4), "attack": a.setting}
        for a in attempts
        for f, t in curve(*a.scores)
        if t > 0
    ]
    title = text("Members found against others accused; the diagonal is guessing")
    return Chart(
        title=title,
        kind="line",
        x=FALSE_AXIS,
        y=TRUE_AXIS,
        rows=tuple(rows),
        series="attack",
        diagonal=True,
    )
