"""What the reader of an audit must know about its data, and what a closed model is called."""

from collections.abc import Mapping
from dataclasses import replace

from fivefold.core.data import Dataset
from fivefold.core.evidence import Finding, Missing
from fivefold.core.schema import Schema
from fivefold.core.text import Text, text
from fivefold.models import CallableModel, SklearnModel
from fivefold.models.endpoint import EndpointModel
from fivefold.models.huggingface import TextClassifier
from fivefold.models.json_endpoint import JsonEndpoint
from fivefold.models.onnx import OnnxModel
from fivefold.recipe.audit.watch import BlackBox

CLOSED: Mapping[type, str] = {
    SklearnModel: "model of scikit-learn",
    OnnxModel: "model in an ONNX file",
    TextClassifier: "classifier of transformers",
    CallableModel: "function",
    EndpointModel: "model behind an address",
    JsonEndpoint: "model behind an address",
}


def kind_of(model: object) -> str:
    """Return what people call a closed model."""
    return CLOSED.get(type(model), BlackBox.__name__)


def told_of(finding: Finding, model: object) -> Finding:
    """Return a finding in which a black box is called what it is."""
    if not isinstance(model, BlackBox):
        return finding
    if isinstance(finding, Missing):
        return replace(finding, reason=_called(finding.reason, kind_of(model.inner)))
    return finding


def _called(reason: Text, name: str) -> Text:
    own = BlackBox.__name__
    return Text(reason.template, {k: name if v == own else v for k, v in reason.facts.items()})


def distance(model: object) -> tuple[Text, ...]:
    """Return a note if the model is asked over a network."""
    is_far = isinstance(model, EndpointModel | JsonEndpoint)
    return (text("Times include the way to the server and back."),) if is_far else ()


def whole_numbers(schema: Schema) -> tuple[Text, ...]:
    """Return a note if there are columns of whole numbers that attacks and corruptions move by fractions."""
    names = [c.name for c in schema.columns if c.kind == "integer" and not c.is_immutable]
    if not names:
        return ()
    note = text(
        "Attacks and corruptions move {columns} by fractions too, which hold whole numbers: robustness to changes that can occur may be higher.",
        columns=", ".join(names[:6]) + (", ..." if len(names) > 6 else ""),
    )
    return (note,)


def of_members(data: Dataset, members: bool) -> Text:
    """Return what is known of the rows that the model was trained on."""
    seen, test = data.splits
    if members:
        return text(
            "{members} rows are those the model was trained on; {valid} others set thresholds, and {test} are tested on.",
            members=seen.train.size,
            valid=seen.valid.size,
            test=test.size,
        )
    return text(
        "Nobody says what the model was trained on. If it has seen these rows, it looks better here than it is. {reference} of them serve as reference (backgrounds, thresholds, a thief's first questions) and are not tested on; {test} are.",
        reference=seen.train.size + seen.valid.size,
        test=test.size,
    )
