"""Open the models that people already have. Nothing in a file is run; a function is, if it is named."""

from collections.abc import Sequence
from pathlib import Path

from fivefold.core.errors import BadInput
from fivefold.core.model import Model
from fivefold.core.schema import Schema
from fivefold.core.task import Task
from fivefold.models.callable import CallableModel
from fivefold.models.endpoint import open_endpoint
from fivefold.models.form import form_of
from fivefold.models.huggingface import open_classifier
from fivefold.models.json_endpoint import open_json
from fivefold.models.kind import Answers
from fivefold.models.onnx import open_onnx
from fivefold.models.save import load_model
from fivefold.models.sklearn import SklearnModel
from fivefold.models.skops import load_skops
from fivefold.models.torch import TorchModel
from fivefold.models.torch_file import open_network
from fivefold.models.web import Access


def open_model(
    named: str,
    *,
    task: Task,
    schema: Schema,
    factory: str = "",
    answers: Answers = "auto",
    trusted: Sequence[str] = (),
    access: Access = Access(),
) -> Model:
    """Return the model that `named` names.

    Args:
        named: A `.skops`, `.onnx` or `.safetensors` file, a folder of Hugging Face or of Fivefold (a
            bundle is one; its seal is not checked here), `package.module:function`, or the address of
            an endpoint.
        task: What the data want predicted; classes in the order of their indices.
        schema: What the data are.
        factory: `package.module:function` that returns the network for a `.safetensors` file.
        answers: What it answers; by default it is asked about a few inputs to find out.
        trusted: Types that a skops file may hold besides those of scikit-learn, NumPy and SciPy; and
            packages from which the architecture of a saved model may come.
        access: How an endpoint is asked.

    Raises:
        BadInput: There is no such model, or it does not fit the task or the data.
        Damaged: A file is not what it should be, or could run code.
        MissingExtra: The library that reads it is not installed.
    """
    match form_of(named):
        case "fivefold":
            return _checked(load_model(Path(named), plugins=tuple(trusted)), task, schema)
        case "skops":
            estimator = load_skops(Path(named), trusted)
            return SklearnModel(estimator=estimator, task=task, schema=schema)
        case "onnx":
            return open_onnx(Path(named), task, schema, answers)
        case "safetensors":
            return open_network(Path(named), factory, task, schema, answers)
        case "huggingface":
            return open_classifier(Path(named), task, schema)
        case "function":
            return CallableModel.named(named, task, schema, answers)
        case "endpoint":
            reach = open_json if access.request else open_endpoint
            return reach(named, task, schema, answers, access)


def _checked(model: TorchModel, task: Task, schema: Schema) -> TorchModel:
    """Return `model` if it answers this task about these data.

    Raises:
        BadInput: It was trained on other columns, other categories, or another target.
    """
    mine = [(c.name, c.categories) for c in model.schema.columns]
    given = [(c.name, c.categories) for c in schema.columns]
    same_task = (model.task.kind, model.task.classes) == (task.kind, task.classes)
    if (mine, model.schema.shape) != (given, schema.shape) or not same_task:
        raise BadInput(
            "This model was made for other data: it reads {mine} and answers {answers}; the data have {given} and {wanted}.",
            mend="Give the data it was made for, with the same columns, categories and classes.",
            mine=_told(model.schema),
            answers=", ".join(model.task.classes)[:200] or model.task.kind,
            given=_told(schema),
            wanted=", ".join(task.classes)[:200] or task.kind,
        )
    return model


def _told(schema: Schema) -> str:
    return ", ".join(c.name for c in schema.columns)[:200] or str(schema.shape)
