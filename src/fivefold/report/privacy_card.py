"""The privacy card: what is hidden, by what, at what price, and what is not (after NIST SP 800-226, 2025).

It says nothing that evidence and lineage do not hold, and computes nothing.
"""

import re
from collections.abc import Mapping
from math import isinf
from typing import Any, NamedTuple

from fivefold.core.evidence import Evidence, Missing
from fivefold.core.lineage import Record
from fivefold.core.text import Language, text, translate
from fivefold.privacy.mechanism import Paid, paid_of
from fivefold.privacy.scope import hidden
from fivefold.privacy.spent import Spent, spent_by
from fivefold.recipe import Run, Stage
from fivefold.report.number import scale_for
from fivefold.report.words import capital, setting, words

Shown = dict[str, Any]
AUDIT = "audited_epsilon"
COUNTED = re.compile(r"(\d+) runs( in the ledger)?$")
MEANING: Mapping[str, str] = {
    "q": "sampling rate",
    "σ": "noise multiplier",
    "C": "clipping norm",
    "T": "steps",
    "σ_b": "noise on the count",
    "passes": "passes",
    "mean runs": "mean number of runs",
    "shape": "shape of their distribution",
}


class Counted(NamedTuple):
    """How many runs a number pays for: 1 unless it says more; whether a ledger has counted them."""

    runs: int = 1
    is_ledger: bool = False


def privacy_cards(run: Run, language: Language) -> list[Shown]:
    """Return a card for each history that has private steps; stages that share one share the card."""
    grouped: dict[str, list[Stage]] = {}
    for stage in run.stages:
        readers = [r for r in stage.lineage if r.claim.reads_data]
        if any(r.claim.privacy for r in readers):
            grouped.setdefault(repr([_identity(r) for r in readers]), []).append(stage)
    return [_card(stages, language) for stages in grouped.values()]


def _identity(record: Record) -> tuple[str, str, str]:
    return record.name, record.data, repr(sorted(record.claim.privacy.items(), key=str))


def _card(stages: list[Stage], language: Language) -> Shown:
    spent = spent_by(stages[0].lineage)
    found = _worst(stages)
    return {
        "stages": [s.name for s in stages],
        "epsilon": _epsilon(found, spent, language),
        "is_void": bool(spent.why_not) or (found is not None and isinf(found.high)),
        "setting": setting(_kept(found), language),
        "why_not": words(spent.why_not, language),
        "rows": _rows(stages, spent, found, language),
        "steps": [_step(r, language) for r in stages[0].lineage if r.claim.reads_data],
        "left_out": [translate(t, language) for t in _left_out(spent, found)],
    }  # fmt: skip


def _rows(
    stages: list[Stage], spent: Spent, found: Evidence | None, language: Language
) -> list[tuple[str, str]]:
    """Return what stands beside the number; where nothing is guaranteed, that and the audit alone."""
    audit = (translate("Audit", language), _audit(stages, language))
    if spent.why_not:
        return [(translate("Hidden", language), translate("nothing", language)), audit]
    return [
        (translate("Hidden", language), capital(translate(hidden(spent), language))),
        (translate("Neighbouring data", language), _relation(spent, language)),
        (translate("Bound made by", language), translate(found.interval, language) if found else "–"),
        (translate("Runs paid for", language), _runs(_counted(found), language)),
        audit,
    ]  # fmt: skip


def _kept(found: Evidence | None) -> str:
    """Return the setting of a number without its runs, which have a line of their own."""
    parts = found.setting.split(", ") if found else []
    return ", ".join(p for p in parts if not COUNTED.search(p))


def _worst(stages: list[Stage]) -> Evidence | None:
    found = [e for s in stages for e in s.evidence if e.axis == "privacy" and e.name == "epsilon"]
    return max(found, key=lambda e: e.high, default=None)


def _epsilon(found: Evidence | None, spent: Spent, language: Language) -> str:
    if spent.why_not:
        return "∞"
    if found is None:
        return translate("not measured", language)
    return scale_for(found.unit, [found.high]).show(found.high)


def _counted(found: Evidence | None) -> Counted:
    told = COUNTED.search(found.setting) if found else None
    return Counted(int(told[1]), bool(told[2])) if told else Counted()


def _relation(spent: Spent, language: Language) -> str:
    if any(p.is_in_place for p in spent.all):
        return translate("one counts or not; on a stream its place stays empty", language)
    return translate("one is added or removed", language)


def _runs(counted: Counted, language: Language) -> str:
    if counted.is_ledger:
        return text("{n}, all that the ledger has counted", n=counted.runs).words(language)
    if counted.runs > 1:
        return text("{n}, as the recipe says", n=counted.runs).words(language)
    return translate("1; others were not counted", language)


def _audit(stages: list[Stage], language: Language) -> str:
    found = [f for s in stages for f in s.findings if f.name == AUDIT]
    measured = [f for f in found if isinstance(f, Evidence)]
    if measured:
        best = max(measured, key=lambda e: e.low)
        shown = scale_for(best.unit, [best.low]).show(best.low)
        return text("an attack proves at least {low} ({setting})", low=shown, setting=setting(best.setting, language)).words(language)  # fmt: skip
    reasons = [words(f.reason, language) for f in found if isinstance(f, Missing)]
    return reasons[0] if reasons else translate("not measured", language)


def _step(record: Record, language: Language) -> Shown:
    paid = paid_of(record.claim.privacy) if record.claim.privacy else None
    return {
        "name": record.name,
        "mechanism": _mechanism(record, paid, language),
        "numbers": [_number(k, v, language) for k, v in paid.facts.items()] if paid else [],
        "delta": f"{paid.delta:.2g}" if paid else "",
        "noise": _noise(paid, language),
        "is_void": paid is None or paid.is_seeded,
    }


def _mechanism(record: Record, paid: Paid | None, language: Language) -> str:
    if paid:
        return capital(translate(paid.mechanism, language))
    plain = not record.claim.privacy
    return (
        translate("reads the data plainly", language)
        if plain
        else translate("not known here", language)
    )


def _number(symbol: str, value: float | int | str, language: Language) -> Shown:
    shown = f"{value:.4g}" if isinstance(value, float) else translate(str(value), language)
    meaning = translate(MEANING.get(symbol, symbol), language)
    return {"symbol": translate(symbol, language), "value": shown, "meaning": meaning}


def _noise(paid: Paid | None, language: Language) -> str:
    if paid is None:
        return "–"
    if paid.is_seeded:
        return translate("from a seed in the recipe: can be removed", language)
    return translate("from secrets of the operating system", language)


def _left_out(spent: Spent, found: Evidence | None) -> list[str]:
    """Return what the bound does not speak of."""
    if spent.why_not:
        return []
    counted, told = _counted(found), list[str]()
    if counted.runs == 1 and not counted.is_ledger:
        told.append(
            "Choosing hyperparameters by looking at this data: no ledger has counted the runs."
        )
    if any(p.repeats for p in spent.all):
        told.append(
            "Whoever learns how many runs the best was chosen from; time, energy and log of that step tell."
        )
        told.append("Rows of the validation split, which chose.")
    if any(p.unit == "client" for p in spent.all):
        told.append("Whoever sees the updates of single clients before they are summed.")
    if spent.is_mixed:
        told.append("All rows of a client or user together: not all steps hide the same ones.")
    if not spent.is_grouped and not (found and "per person" in found.setting):
        told.append("Several rows of one person together.")
    return [
        *told,
        "Other models made from the same rows.",
        "How many training rows there are, and numbers that probes publish about them.",
    ]  # fmt: skip
