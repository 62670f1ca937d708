"""A model behind an address: Open Inference Protocol version 2 (KServe), discovered by its metadata."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.core.data import Inputs, as_tensor
from fivefold.core.errors import BadInput
from fivefold.core.lineage import Lineage
from fivefold.core.schema import Schema
from fivefold.core.task import Task
from fivefold.models.answers import Kind, check_kind, outputs_from
from fivefold.models.kind import Answers, examples, settled
from fivefold.models.ports import Port, choose, feeder
from fivefold.models.web import Access, ask

KINDS = {
    "FP32": ("number", "float32"),
    "FP64": ("number", "float64"),
    "INT64": ("whole", "int64"),
    "INT32": ("whole", "int32"),
    "BOOL": ("truth", "bool"),
    "BYTES": ("word", "object"),
}


@dataclass(frozen=True, kw_only=True)
class EndpointModel:
    """A served model: it is asked in batches, and every question is counted.

    Attributes:
        url: Address of the model, `http://host/v2/models/name`.
        ports: Its inputs.
        task: What is predicted.
        schema: What it eats.
        answers: What its output holds: probabilities or logits of each class, or numbers.
        output: Name of the output that is read.
        access: How it is asked.
        asked: Number of requests so far, in a list of one.
        lineage: What was done to it, as far as anybody says.
    """

    url: str
    ports: tuple[Port, ...]
    task: Task
    schema: Schema
    answers: Kind
    output: str
    access: Access = Access()
    asked: list[int] = field(default_factory=lambda: [0], compare=False)
    lineage: Lineage = ()

    def __post_init__(self) -> None:
        check_kind(self.task, self.answers, self.url)

    def predict(self, x: Inputs) -> Float[Tensor, "batch outputs"]:
        """Return log-probabilities, logits or numbers.

        Raises:
            BadInput: The server does not answer as it should.
        """
        given = as_tensor(x)
        told = [torch.zeros(0, self.task.n_outputs)]
        for part in given.split(self.access.size) if len(given) else ():
            self.asked[0] += 1
            answer = _infer(self, part)
            if self.output not in answer:
                raise _strange(self.url, f"no output {self.output}")
            values = answer[self.output]
            told.append(outputs_from(values, len(part), self.task, self.answers, self.url))
        return torch.cat(told)

    def with_lineage(self, lineage: Lineage) -> Self:
        """Return the same predictor with another history."""
        return replace(self, lineage=lineage)


class Place(NamedTuple):
    """What a question needs."""

    url: str
    ports: tuple[Port, ...]
    schema: Schema
    access: Access


def open_endpoint(
    url: str, task: Task, schema: Schema, answers: Answers, access: Access
) -> EndpointModel:
    """Return the model behind `url`.

    Raises:
        BadInput: It speaks another protocol, or does not fit the data or the task.
    """
    url = url.rstrip("/")
    place = Place(url, _ports(url, ask(url, access), schema), schema, access)
    few = examples(schema)
    parts = [_infer(place, part) for part in few.split(access.size)]
    told = {k: np.concatenate([part[k] for part in parts]) for k in parts[0]}
    name = choose(told, len(few), task.n_outputs, url)
    _check_order(told, name, task, url)
    kind = settled(answers, lambda x: told[name], task, schema, url)
    return EndpointModel(
        url=url,
        ports=place.ports,
        task=task,
        schema=schema,
        answers=kind,
        output=name,
        access=access,
    )


def _ports(url: str, told: Any, schema: Schema) -> tuple[Port, ...]:
    """Return the inputs; a server that names the columns of its table is given each by its name."""
    try:
        columns = told.get("columns") if schema.is_table else None
        if columns:
            shaped = [{**c, "shape": [-1]} for c in columns]
            return tuple(_port(given) for given in shaped)
        return tuple(_port(given) for given in told["inputs"])
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise BadInput(
            "There is no model of the Open Inference Protocol here: {problem}.",
            where=url,
            mend="Give the address of one model, such as http://host/v2/models/name; for another protocol say what to send with --request and where the answers stand with --answer.",
            problem=f"{type(error).__name__} {error}"[:200],
        ) from error


def _port(given: Mapping[str, Any]) -> Port:
    kind, dtype = KINDS[given["datatype"]]
    shape = tuple(int(s) if int(s) > 0 else None for s in given["shape"])
    return Port(str(given["name"]), kind, (None, *shape[1:]), dtype)  # type: ignore[arg-type]


def _infer(place: "EndpointModel | Place", x: Tensor) -> dict[str, Any]:
    """Return each output as an array."""
    url, ports = place.url, place.ports
    fed = feeder(ports, place.schema, url)(x)
    kinds = {p.name: next(k for k, v in KINDS.items() if v == (p.kind, p.dtype)) for p in ports}
    inputs = [
        {"name": n, "shape": list(v.shape), "datatype": kinds[n], "data": _flat(v, url)}
        for n, v in fed.items()
    ]
    told = ask(f"{url}/infer", place.access, {"id": str(next(_IDS)), "inputs": inputs})
    try:
        return {o["name"]: _array(o) for o in told["outputs"]}
    except (TypeError, KeyError, ValueError) as error:
        raise _strange(url, f"{type(error).__name__} {error}") from error


_IDS = count()


def _flat(values: np.ndarray[Any, Any], url: str) -> list[Any]:
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise BadInput(
            "A value is missing, and JSON has no word for it.",
            where=url,
            mend="Leave such rows out, or open the model from its file.",
        )
    return values.flatten().tolist()


def _array(output: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    is_number = str(output["datatype"]).startswith("FP")
    return np.array(output["data"], dtype="float64" if is_number else None).reshape(output["shape"])


def _check_order(told: Mapping[str, Any], name: str, task: Task, url: str) -> None:
    """Compare the labels that a server gives with the classes of the task, where it gives some.

    Raises:
        BadInput: Its outputs stand in another order.
    """
    values = told[name]
    if not task.is_classification or values.ndim != 2 or values.shape[1] != len(task.classes):
        return
    mine = [task.classes[i] for i in values.argmax(1).tolist()]
    for labels in (
        v for v in told.values() if v.dtype.kind in "OU" and v.shape[:1] == (len(mine),)
    ):
        given = [str(label) for label in labels.reshape(len(mine), -1)[:, 0].tolist()]
        if set(given) <= set(task.classes) and given != mine:
            raise BadInput(
                "The server calls {theirs} what stands in the place of {mine}.",
                where=url,
                mend="Name the classes in the order of its outputs: --classes a,b,c.",
                theirs=next(g for g, m in zip(given, mine, strict=True) if g != m),
                mine=next(m for g, m in zip(given, mine, strict=True) if g != m),
            )


def _strange(url: str, problem: str) -> BadInput:
    return BadInput(
        "The endpoint does not answer as it should: {problem}.",
        where=url,
        mend="Check the address, the key and whether the server is up.",
        problem=problem[:300],
    )
