"""Explain one answer of a model: a table with error bars, and a picture."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Generator, Tensor

from fivefold.cli.access import check_bundle
from fivefold.cli.audit import from_here
from fivefold.cli.explain_picture import write_picture
from fivefold.cli.voice import Voice
from fivefold.core.data import as_tensor
from fivefold.core.errors import BadInput
from fivefold.core.model import Model
from fivefold.core.text import text, translate
from fivefold.explanation import Attribution, explain
from fivefold.explanation.choice import Choice
from fivefold.explanation.methods import NAMES
from fivefold.explanation.pictures.labels import labels
from fivefold.explanation.pictures.view import View, largest
from fivefold.perturb import Features
from fivefold.recipe.audit import Given, Subject
from fivefold.recipe.audit.rows import rows_of, told
from fivefold.report.words import words

if TYPE_CHECKING:
    from rich.table import Table

BACKGROUND = 50  # rows that stand for "not known"
GRID = 8  # rows and columns of patches of an image
BAR = 16  # letters of the longest bar
ENDINGS = (".png", ".svg", ".html", ".json")
PLOTS = ("bar", "waterfall", "force", "decision", "text", "image")


class Files(NamedTuple):
    """Where to write the picture and the table, if anywhere, and which picture; "" is the usual one."""

    out: Path | None = None
    csv: Path | None = None
    plot: str = ""


class Question(NamedTuple):
    """What is explained, and before which background; a text has none, its words are left out."""

    model: Model
    x: Tensor
    background: Tensor


def verb(
    subject: Subject,
    given: Given,
    rows: tuple[Path, int],
    how: tuple[str, int],
    files: Files,
    voice: Voice,
) -> None:
    """Explain row `rows[1]` of the file `rows[0]` by the method and with as many features as `how` says."""
    from_here()
    check_bundle(subject.named)
    method, top = how
    _check(method, files)
    question = asked(subject, given, *rows)
    rng = Generator().manual_seed(given.seed)
    chosen: Any = method
    fine = Features(grid=GRID)

    def tell(choice: Choice) -> None:
        voice.say("Begins: {what}.", what=words(choice.told, voice.language))

    found = explain(
        question.model, question.x, question.background, chosen, rng=rng, features=fine, tell=tell
    )
    output = found.index_of("", 0)
    told = as_json(found, question, output)
    if files.out:
        write_picture(found, question, output, told, (files.out, files.plot), voice)
    if files.csv:
        found.to_csv(files.csv)
    paths = {"path": str(files.out or ""), "csv": str(files.csv or "")}
    voice.give(told | paths, table(found, output, top, voice))
    _say(found, question, output, method, voice)
    if files.out:
        voice.say("Picture: {path}", path=str(files.out))
    if files.csv:
        voice.say("Table: {path}", path=str(files.csv))


def asked(subject: Subject, given: Given, path: Path, row: int) -> Question:
    """Return the row to explain, read as the model reads it, and ordinary rows beside it.

    Raises:
        BadInput: There is no such row, or there are no other rows and no file with some.
    """
    own = subject.own()
    if own is not None and given.data == path:
        rows = rows_of(path, own.schema, given.text)
        x = one_of(rows, row, path)
        if own.schema.is_text:
            return Question(own, x, x[:0])
        others = torch.cat([rows[:row], rows[row + 1 :]])
        if not len(others):
            raise BadInput(
                "An explanation needs ordinary rows to compare with, and this file holds one row.",
                where=str(path),
                mend="Give a file with ordinary rows: --data FILE.",
            )
        return Question(own, x, others[:BACKGROUND])
    data = given.load(own)
    model = own if own is not None else subject.open(data)
    x = one_of(rows_of(path, data.schema, given.text), row, path)
    background = as_tensor(data.splits.seen.train.x)[: 0 if data.schema.is_text else BACKGROUND]
    return Question(model, x, background)


def one_of(rows: Tensor, row: int, path: Path) -> Tensor:
    """Return one row, as a batch of one.

    Raises:
        BadInput: There are not so many.
    """
    if not 0 <= row < len(rows):
        raise BadInput(
            "There is no row {row}; the rows are 0 to {last}.",
            where=str(path),
            mend="Choose one with --row.",
            row=row,
            last=len(rows) - 1,
        )
    return rows[row : row + 1]


def table(found: Attribution, output: int, top: int, voice: Voice) -> "Table":
    """Return the largest attributions with their error bars as a table for the terminal."""
    from rich.markup import escape
    from rich.table import Table

    values = found.values[0, :, output]
    shown = Table(box=None, pad_edge=False)
    for name in ("feature", "attribution", "95 %" if found.is_standard else "error", ""):
        shown.add_column(translate(name, voice.language), no_wrap=name != "feature")
    longest = max(float(values.abs().max()), 1e-12)
    order = largest(values, top)
    names = labels(View(found, (0,), output, voice.language), order)
    for place, name in zip(order, names, strict=True):
        value = float(values[place])
        bar = "█" * max(1, round(BAR * abs(value) / longest)) if value else ""
        colour = "red" if value > 0 else "blue"
        sure = "" if found.error is None else f"± {_half(found, place, output):.2g}"
        shown.add_row(escape(name), f"{value:+.3g}", sure, f"[{colour}]{bar}[/{colour}]")
    return shown


def as_json(found: Attribution, question: Question, output: int) -> dict[str, Any]:
    """Return the whole explanation as plain data."""
    schema, x = question.model.schema, question.x[0].flatten()
    is_table = schema.is_table and found.groups.n == len(schema.columns)
    features = [
        {"feature": name, "attribution": float(found.values[0, i, output])}
        | ({"value": told(schema.columns[i], float(x[i]))} if is_table else {})
        | (
            {"half_width_95" if found.is_standard else "error": _finite(_half(found, i, output))}
            if found.error is not None
            else {}
        )
        for i, name in enumerate(found.names)
    ]
    return {
        "output": found.outputs[output],
        "score": float(found.score[0, output]),
        "base": float(found.base[0, output]),
        "unit": str(found.unit),
        "method": found.method,
        "reason": str(found.reason),
        "converged": bool(found.is_converged[0]),
        "evaluations": found.n_evaluations,
        "features": features,
    }


def _half(found: Attribution, feature: int, output: int) -> float:
    assert found.half_width is not None
    return float(found.half_width[0, feature, output])


def _finite(value: float) -> float | None:
    return value if value < float("inf") else None


def _say(found: Attribution, question: Question, output: int, method: str, voice: Voice) -> None:
    voice.say(
        "{output}: from {base} (nothing known of the row) to {score} (all of it), {unit}",
        output=found.outputs[output],
        base=float(found.base[0, output]),
        score=float(found.score[0, output]),
        unit=words(found.unit, voice.language),
    )
    why = found.reason if method == "auto" else text("As asked with --method.")
    if question.model.schema.is_text:
        voice.say("Words that are hidden are left out of the text.")
    voice.say(
        "Method: {method}, {n} background rows, {evaluations} answers of the model. {why}",
        method=found.method,
        n=len(question.background),
        evaluations=found.n_evaluations,
        why=words(why, voice.language),
    )
    if not bool(found.is_converged[0]):
        voice.say("The error bars are wide: take the order of small values with care.")


def _check(method: str, files: Files) -> None:
    if method not in NAMES:
        raise BadInput(
            "There is no method {name}.",
            where="--method",
            mend="There are: {known}.",
            name=method,
            known=", ".join(NAMES),
        )
    if files.out and files.out.suffix.lower() not in ENDINGS:
        raise BadInput(
            "A picture cannot be written as {ending}.",
            where="--out",
            mend="There are: {known}.",
            ending=files.out.suffix or "-",
            known=", ".join(ENDINGS),
        )
    if files.plot and files.plot not in PLOTS:
        raise BadInput(
            "There is no picture {name}.",
            where="--plot",
            mend="There are: {known}.",
            name=files.plot,
            known=", ".join(PLOTS),
        )
    if files.plot and not files.out:
        raise BadInput(
            "A picture was asked for, and no file for it.",
            where="--plot",
            mend="Say where to write it: --out FILE.",
        )
