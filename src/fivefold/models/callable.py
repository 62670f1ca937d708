"""A predictor of which only the answers are known."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, Self

import numpy as np
from jaxtyping import Float
from torch import Tensor

from fivefold.core.codepoints import decode_texts
from fivefold.core.data import Inputs, as_tensor
from fivefold.core.errors import BadInput
from fivefold.core.lineage import Lineage
from fivefold.core.schema import Schema
from fivefold.core.task import Task
from fivefold.models.answers import Kind, check_kind, outputs_from
from fivefold.models.kind import Answers, settled


@dataclass(frozen=True, kw_only=True)
class CallableModel:
    """Any function from a numpy array `(batch, ...)` to one row of answers per input.

    Texts come as an array of strings `(batch,)`.

    Attributes:
        function: What answers. It gets the user's own columns or pixels as float32.
        task: What is predicted; outputs come in the order of its classes.
        schema: What it eats.
        answers: What the function returns: probabilities or logits of each class, or numbers.
        lineage: What was done to it, as far as anybody says.
    """

    function: Callable[[Any], Any]
    task: Task
    schema: Schema
    answers: Kind
    lineage: Lineage = ()

    def __post_init__(self) -> None:
        check_kind(self.task, self.answers, self.name)

    @classmethod
    def named(cls, name: str, task: Task, schema: Schema, answers: Answers) -> "CallableModel":
        """Return the function that `package.module:function` names, as a model.

        Raises:
            BadInput: It cannot be imported, fails, or gives answers of an unknown kind.
        """
        function = import_function(name)
        kind = settled(answers, lambda x: _asked(function, x, schema, name), task, schema, name)
        return cls(function=function, task=task, schema=schema, answers=kind)

    @property
    def name(self) -> str:
        """What the function calls itself."""
        return getattr(self.function, "__qualname__", type(self.function).__name__)

    def predict(self, x: Inputs) -> Float[Tensor, "batch outputs"]:
        """Return log-probabilities, logits or numbers.

        Raises:
            BadInput: The function fails, or what it answers cannot be used.
        """
        given = as_tensor(x)
        if not len(given):
            return given.new_zeros(0, self.task.n_outputs)
        answer = _asked(self.function, given, self.schema, self.name)
        return outputs_from(answer, len(given), self.task, self.answers, self.name)

    def with_lineage(self, lineage: Lineage) -> Self:
        """Return the same predictor with another history."""
        return replace(self, lineage=lineage)


def _asked(function: Callable[[Any], Any], x: Tensor, schema: Schema, where: str) -> Any:
    """Return what the function answers; a text is given as a string.

    Raises:
        BadInput: It fails.
    """
    given: Any = x.detach().cpu()
    given = np.array(decode_texts(given), dtype=object) if schema.is_text else given.numpy().copy()
    try:
        return function(given)
    except Exception as error:  # whatever a stranger's code may raise
        raise BadInput(
            "The function fails with {kind}: {problem}.",
            where=where,
            mend="Try it on one batch by hand; it is given an array of the shape {shape}.",
            kind=type(error).__name__,
            problem=str(error)[:200],
            shape=str(given.shape),
        ) from error


def import_function(name: str) -> Callable[..., Any]:
    """Return what `package.module:function` names. This runs the module: only name what you trust.

    Raises:
        BadInput: There is no such module or function.
    """
    module, _, attribute = name.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadInput(
            "{name} cannot be imported: {problem}.",
            mend="Write it as package.module:function, and run from where Python finds the package.",
            name=name,
            problem=str(error)[:200],
        ) from error
    if not callable(found):
        raise BadInput(
            "{name} is not a function.", mend="Name something that can be called.", name=name
        )
    return found
