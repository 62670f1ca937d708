"""For whom a bound on epsilon holds, and what it does not cover, in words."""

from collections import Counter

from fivefold.core.text import Text, text
from fivefold.privacy.spent import Spent

MOST_KINDS = 8  # mechanisms that a note spells out
UNITS = {
    "example": "example",
    "client": "client with all of its rows",
    "user": "user with all of their rows",
}
MIXED = "example (no whole client or user, because not all steps hide the same ones)"
IN_PLACE = "example (on a stream its place stays empty, and no other moves up)"
SAME = "It was all the same data."
OTHERS = (
    "The data differed between steps; the same people may be in each, so all losses are added up."
)
CHOSEN = "Not covered: other models made from it, the size of the training set, and numbers that probes publish about its rows."
FREE = "Not covered: choosing hyperparameters by looking at this data, other models made from it, the size of the training set, and numbers that probes publish about its rows."
LEDGER = "Every private run that the ledger counts is paid for, also those that were killed or thrown away. Not covered: runs without that ledger, other models made from it, the size of the training set, and numbers that probes publish about its rows."
TUNED = "The best of a secret number of runs was kept, and that is paid for as long as nobody learns how many there were, which time, energy and log of that step tell. Not covered: the validation rows that chose, other hyperparameters chosen by looking at this data, other models made from it, the size of the training set, and numbers that probes publish about its rows."


def scope(spent: Spent, per_person: int, *, is_ledger: bool) -> Text:
    """Return for whom the bound holds, and what it leaves open."""
    if not spent.all:
        return text("No step has read training data.")
    facts = {
        "told": _kinds(spent),
        "data": SAME if spent.n_data == 1 else OTHERS,
        "rest": LEDGER if is_ledger else _rest(spent),
    }
    if per_person > 1 and spent.runs > 1:
        return text(
            "Holds for up to {people} examples of one person added or removed, after {runs} such runs from which one was chosen ({told}; q: sampling rate, σ: noise multiplier, C: clipping norm, T: steps). {data} {rest}",
            people=per_person, runs=spent.runs, **facts,
        )  # fmt: skip
    if per_person > 1:
        return text(
            "Holds for up to {people} examples of one person added or removed ({told}; q: sampling rate, σ: noise multiplier, C: clipping norm, T: steps). {data} {rest}",
            people=per_person, **facts,
        )  # fmt: skip
    unit = hidden(spent)
    if spent.runs > 1:
        return text(
            "Holds for one {unit} added or removed, after {runs} such runs from which one was chosen ({told}; q: sampling rate, σ: noise multiplier, C: clipping norm, T: steps). {data} {rest}",
            unit=unit, runs=spent.runs, **facts,
        )  # fmt: skip
    return text(
        "Holds for one {unit} added or removed ({told}; q: sampling rate, σ: noise multiplier, C: clipping norm, T: steps). {data} {rest}",
        unit=unit, **facts,
    )  # fmt: skip


def _kinds(spent: Spent) -> str:
    """Return the numbers of all that was done; equal ones once, with how often."""
    n_of = Counter(p.told for p in spent.all)
    told = [f"{n} × ({one})" if n > 1 else one for one, n in n_of.items()]
    more = len(told) - MOST_KINDS
    return "; ".join(told[:MOST_KINDS]) + (f"; … (+{more})" if more > 0 else "")


def hidden(spent: Spent) -> str:
    """Return what all steps together hide, as an English noun that has a translation."""
    if spent.is_mixed:
        return MIXED
    is_in_place = any(p.is_in_place for p in spent.all)
    return IN_PLACE if is_in_place and spent.unit == "example" else UNITS[spent.unit]


def _rest(spent: Spent) -> str:
    if any(p.repeats for p in spent.all):
        return TUNED
    return CHOSEN if spent.runs > 1 else FREE
