"""What a run records of the model and of its data."""

import json
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from fivefold.core.evidence import Missing
from fivefold.core.lineage import Record
from fivefold.core.text import Text, text
from fivefold.recipe import Stage
from fivefold.report.exports.subject import Subject

Lines: TypeAlias = Iterable[Text]


def task(of: Subject) -> Lines:
    """Yield what is predicted."""
    asked = of.run.data.task
    if asked.is_classification:
        classes = ", ".join(asked.classes)
        yield text("One of {n} classes of {target}: {classes}.", n=len(asked.classes), target=asked.target, classes=classes)  # fmt: skip
    else:
        yield text("A number: {target} {unit}", target=asked.target, unit=asked.unit)


def architecture(of: Subject) -> Lines:
    """Yield how the network was built."""
    if model := of.run.recipe.get("model"):
        yield text("{told}", told=json.dumps(model, ensure_ascii=False, sort_keys=True))


def inputs(of: Subject) -> Lines:
    """Yield what the model eats."""
    schema = of.run.data.schema
    if schema.is_table:
        yield text("{n} columns, eaten as they are; preparation is part of the model.", n=len(schema.columns))  # fmt: skip
    elif schema.is_text:
        yield text("A text of at most {n} characters.", n=schema.n_features)
    elif schema.shape:
        yield text("Images of the shape {shape}.", shape=" x ".join(map(str, schema.shape)))


def files(of: Subject) -> Lines:
    """Yield the files of the model with their hashes."""
    for name, digest in of.files():
        yield text("{file}: SHA-256 {digest}", file=name, digest=digest)


def lineage(of: Subject) -> Lines:
    """Yield what was done to the model, the oldest first."""
    for record in of.stage.lineage:
        yield _step(record)


def _step(record: Record) -> Text:
    use = str(record.step.get("use", ""))
    if not record.data:
        return text("{step}: {use}, without reading data.", step=record.name, use=use)
    return text("{step}: {use}, read the training rows {data}.", step=record.name, use=use, data=record.data)  # fmt: skip


def data(of: Subject) -> Lines:
    """Yield which data these were."""
    card = of.run.data
    if card.fingerprint:
        yield text("{data}, fingerprint {digest}.", data=card.name, digest=card.fingerprint)


def sizes(of: Subject) -> Lines:
    """Yield how many examples each split has."""
    if any(of.run.data.sizes.values()):
        told = ", ".join(f"{name} {size:,}" for name, size in of.run.data.sizes.items())
        yield text("{told}", told=told)


def balance(of: Subject) -> Lines:
    """Yield how many training examples each class has."""
    if any(of.run.data.balance.values()):
        told = ", ".join(f"{name} {size:,}" for name, size in of.run.data.balance.items())
        yield text("{told}", told=told)


def columns(of: Subject) -> Lines:
    """Yield what is known of the columns of a table: how many are personal or protected."""
    known = of.run.data.schema.columns
    if not known:
        return
    yield text("{n} columns: {names}", n=len(known), names=", ".join(c.name for c in known))
    personal = ", ".join(c.name for c in known if c.is_personal)
    protected = ", ".join(c.name for c in known if c.is_protected)
    yield text("Marked as personal: {names}", names=personal or "–")
    yield text("Compared between their groups: {names}", names=protected or "–")


def notes(of: Subject) -> Lines:
    """Yield what loading the data found."""
    yield from of.run.data.notes


def lacking(stage: Stage) -> tuple[Missing, ...]:
    """Return what was asked about a stage and could not be measured."""
    return tuple(f for f in _found(stage) if isinstance(f, Missing))


def _found(stage: Stage) -> Iterator[object]:
    yield from stage.findings
    yield from stage.changes
