"""Counterfactuals in plain sentences."""

from math import floor, isnan, log10
from typing import TYPE_CHECKING

from fivefold.core.schema import Column, Schema
from fivefold.core.text import Language, Text, text

if TYPE_CHECKING:
    from fivefold.explanation.counterfactual.answer import Change, Counterfactuals


def told(found: "Counterfactuals", row: int, language: Language) -> list[str]:
    """Return a sentence for each answer of a row, or one that says why there is none."""
    answers = [a for a in range(found.found.shape[1]) if found.found[row, a]]
    if not answers:
        return [failure(found, row).words(language)]
    return [_sentence(found, row, a, language) for a in answers]


def failure(found: "Counterfactuals", row: int) -> Text:
    """Return why a row has no answer."""
    n = int(found.n_evaluations[row])
    if found.is_done[row]:
        return text("The answer is as wanted already.")
    if not found.may_change[row]:
        return text("No column of this row may change, so that no change can turn the answer.")
    if found.is_stopped[row]:
        return text(
            "None found in {n} evaluations of the model, when the limit of {seconds} seconds was reached.",
            n=n,
            seconds=float(found.seconds),
        )
    return text("None found in {n} evaluations of the model. There may be one all the same.", n=n)


def shown(column: Column, value: float, language: Language = "en") -> str:
    """Return a value as people write it: the name of a category, or a number in few digits."""
    if isnan(value):
        return text("unknown").words(language)
    if column.is_category:
        return column.categories[int(value)]
    if column.kind == "integer":
        return f"{value:,.0f}"
    digits = max(0, 2 - floor(log10(max(column.scale, 1e-12))))
    short = f"{value:,.{min(digits, 12)}f}"
    return short.rstrip("0").rstrip(".") if "." in short else short


def pair(schema: Schema, change: "Change", language: Language = "en") -> tuple[str, str]:
    """Return what a column changes from and to; with all digits where few would not show a difference."""
    column = next(c for c in schema.columns if c.name == change.column)
    old, new = (shown(column, v, language) for v in (change.old, change.new))
    return (old, new) if old != new else (f"{change.old:,}", f"{change.new:,}")


def outcome(found: "Counterfactuals", row: int, answer: int | None = None) -> str:
    """Return what the model answers to a row, or to one of its changes: a class or a number."""
    outputs = found.before[row] if answer is None else found.outputs[row, answer]
    if found.task.is_classification:
        return found.task.classes[int(outputs.argmax())]
    return f"{float(outputs[0]):.4g} {found.task.unit}".rstrip()


def _sentence(found: "Counterfactuals", row: int, answer: int, language: Language) -> str:
    parts = [_part(found.schema, c, language) for c in found.changes(row, answer)]
    joined = parts[0]
    for part in parts[1:]:
        joined = text("{first} and {second}", first=joined, second=part).words(language)
    sentence = text(
        "If {changes}, the answer would be {after} instead of {before}.",
        changes=joined,
        after=outcome(found, row, answer),
        before=outcome(found, row),
    )
    caution = _caution(found, row, answer)
    return " ".join(s.words(language) for s in (sentence, caution) if s)


def _part(schema: Schema, change: "Change", language: Language) -> str:
    old, new = pair(schema, change, language)
    told = text("{column} were {new} instead of {old}", column=change.column, new=new, old=old)
    return told.words(language)


def _caution(found: "Counterfactuals", row: int, answer: int) -> Text:
    if found.outlier[row, answer].isnan():
        return text("The background is too small to say whether such a row is plausible.")
    if not found.is_plausible[row, answer]:
        return text("Such a row would be unlike those in the background.")
    return Text("")
