"""What is where: the paths of the Open Inference Protocol v2, and ours."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from fivefold.core.schema import Schema
from fivefold.deploy.server.call import Verb
from fivefold.deploy.server.docs import docs
from fivefold.deploy.server.examples import INPUT
from fivefold.deploy.server.openapi import openapi
from fivefold.deploy.server.reply import JSON, json_bytes
from fivefold.deploy.server.tell import Telling

Page: TypeAlias = tuple[int, bytes, bytes]
EXTENSIONS = ("binary_tensor_data", "explain")


@dataclass(frozen=True, kw_only=True)
class Paths:
    """Exact paths; everything else does not exist, so there is nothing to climb out of.

    Attributes:
        verbs: Where the model is asked.
        open: Pages that need no key: status, type and body.
        closed: Pages that need one where keys are needed.
    """

    verbs: Mapping[str, Verb]
    open: Mapping[str, Callable[[], Page]]
    closed: Mapping[str, Callable[[], Page]]


def paths_of(telling: Telling, schema: Schema, is_ready: Callable[[], bool]) -> Paths:
    """Return every path of one model."""
    bases = (f"/v2/models/{telling.name}", f"/v2/models/{telling.name}/versions/{telling.version}")
    ready = _ready(is_ready, telling.name)
    model = _fixed(metadata(telling, schema))
    return Paths(
        verbs={f"{b}/{verb}": verb for b in bases for verb in ("infer", "explain")},
        open={
            "/v2/health/live": _fixed({"live": True}),
            "/v2/health/ready": _ready(is_ready, ""),
            **{f"{base}/ready": ready for base in bases},
        },
        closed={
            "/v2": _fixed(server()),
            "/v2/": _fixed(server()),
            "/openapi.json": _fixed(openapi(telling, schema)),
            "/docs": _docs(openapi(telling, schema)),
            **dict.fromkeys(bases, model),
        },
    )


def server() -> dict[str, Any]:
    """Return what the server says of itself."""
    from importlib.metadata import version

    return {"name": "fivefold", "version": version("fivefold"), "extensions": list(EXTENSIONS)}


def metadata(telling: Telling, schema: Schema) -> dict[str, Any]:
    """Return what the server says of the model; `columns` is ours."""
    kind = "BYTES" if schema.is_text else "FP32"
    shape = [-1] if schema.is_text else [-1, *schema.shape]
    return {
        "name": telling.name,
        "versions": [telling.version],
        "platform": "fivefold",
        "inputs": [{"name": INPUT, "datatype": kind, "shape": shape}],
        "outputs": list(telling.outputs()),
        "columns": [
            {"name": c.name, "datatype": "BYTES" if c.is_category else "FP32",
             "categories": list(c.categories), "optional": c.is_optional}
            for c in schema.columns
        ],
    }  # fmt: skip


def _fixed(told: Mapping[str, Any]) -> Callable[[], Page]:
    page: Page = (200, JSON, json_bytes(told))
    return lambda: page


def _docs(described: Mapping[str, Any]) -> Callable[[], Page]:
    page: Page = (200, b"text/html; charset=utf-8", docs(described).encode())
    return lambda: page


def _ready(is_ready: Callable[[], bool], name: str) -> Callable[[], Page]:
    def page() -> Page:
        ready = is_ready()
        told: dict[str, Any] = {"name": name, "ready": ready} if name else {"ready": ready}
        return (200 if ready else 503), JSON, json_bytes(told)

    return page
