"""A model behind an address with a protocol of its own: a request with a place for inputs, a path to answers."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import torch
from jaxtyping import Float
from torch import Tensor, cat

from fivefold.core.data import Inputs, as_tensor
from fivefold.core.errors import BadInput
from fivefold.core.lineage import Lineage
from fivefold.core.schema import Schema
from fivefold.core.task import Task
from fivefold.models.answers import Kind, check_kind, numbers_of, outputs_from
from fivefold.models.kind import Answers, examples, settled
from fivefold.models.template import Template, answers_at, read_template
from fivefold.models.web import Access, ask


@dataclass(frozen=True, kw_only=True)
class JsonEndpoint:
    """A served model that is asked in JSON of its own.

    Attributes:
        url: Where questions are sent.
        template: What is sent.
        task: What is predicted; answers come in the order of its classes.
        schema: What it eats.
        answers: What it answers: probabilities or logits of each class, or numbers.
        access: How it is asked, and where the answers stand.
        asked: Number of requests so far, in a list of one.
        lineage: What was done to it, as far as anybody says.
    """

    url: str
    template: Template
    task: Task
    schema: Schema
    answers: Kind
    access: Access
    asked: list[int] = field(default_factory=lambda: [0], compare=False)
    lineage: Lineage = ()

    def __post_init__(self) -> None:
        check_kind(self.task, self.answers, self.url)

    def predict(self, x: Inputs) -> Float[Tensor, "batch outputs"]:
        """Return log-probabilities, logits or numbers.

        Raises:
            BadInput: The server does not answer as it should.
        """
        given, told = as_tensor(x), [torch.zeros(0, self.task.n_outputs)]
        size = 1 if self.template.is_single else self.access.size
        for part in given.split(size) if len(given) else ():
            self.asked[0] += 1
            answer = _answer(self, part)
            told.append(outputs_from(answer, len(part), self.task, self.answers, self.url))
        return cat(told)

    def with_lineage(self, lineage: Lineage) -> Self:
        """Return the same predictor with another history."""
        return replace(self, lineage=lineage)


def open_json(
    url: str, task: Task, schema: Schema, answers: Answers, access: Access
) -> JsonEndpoint:
    """Return the model behind `url`, asked as `access` says; a request may be the name of its file.

    Raises:
        BadInput: The request cannot be read, or the server does not answer as it should.
    """
    template = read_template(_written(access.request), schema)
    first = JsonEndpoint(
        url=url,
        template=template,
        task=task,
        schema=schema,
        answers="logits" if task.is_classification else "numbers",
        access=access,
    )
    size = 1 if template.is_single else access.size

    def told(x: Tensor) -> Any:
        parts = [numbers_of(_answer(first, part), url) for part in x.split(size)]
        return torch.cat([torch.from_numpy(p) for p in parts])

    kind = settled(answers, told, task, schema, url)
    if kind == "numbers":
        told(examples(schema))
    return replace(first, answers=kind)


def _written(request: str) -> str:
    """Return the request itself, which may lie in a file."""
    if request.lstrip()[:1] in ("{", "[", "$", '"'):
        return request
    try:
        return Path(request).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise BadInput(
            "There is no such file.", where=f"--request {request!a}", mend="Check the path."
        ) from error


def _answer(model: JsonEndpoint, x: Tensor) -> Any:
    """Return the answers to a batch, with one row for each input."""
    told = ask(model.url, model.access, model.template.filled(x, model.schema))
    try:
        found = answers_at(told, model.access.answer, model.task.classes)
    except KeyError as error:
        raise BadInput(
            "What comes back has nothing at {path}: {start}",
            where=model.url,
            mend="Say where the answers stand with --answer, such as outputs.0.probabilities; * is each element of a list.",
            path=model.access.answer or "--answer",
            start=str(told)[:200],
        ) from error
    if not model.template.is_single:
        return found
    is_one = isinstance(found, list) and len(found) == 1 and isinstance(found[0], list)
    return found if is_one else [found]
