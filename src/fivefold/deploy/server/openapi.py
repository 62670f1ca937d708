"""The OpenAPI 3.1 description of a served model: what can be asked, and every answer there may be."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from fivefold.core.schema import Schema
from fivefold.deploy.event import REFUSALS
from fivefold.deploy.server.examples import INPUT
from fivefold.deploy.server.tell import Telling
from fivefold.deploy.server.tensors import NUMBERS

Json = dict[str, Any]
REFUSED = {
    "400": "It cannot be read.",
    "401": "A key is needed.",
    "403": "The key is not known, the page is another site's, or the detector raised the alarm.",
    "408": "The body came too slowly.",
    "413": "Too many bytes or examples.",
    "415": "The body is compressed.",
    "421": "The server does not go by that name.",
    "422": "The schema forbids it, or it holds personal data.",
    "429": "Too many requests.",
    "500": "The model failed.",
    "503": "Too many requests are waiting.",
    "504": "The answer took too long.",
}


def openapi(telling: Telling, schema: Schema) -> Json:
    """Return the description of one served model."""
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Fivefold: {telling.name}", "version": telling.version},
        "paths": _paths(telling, schema),
        "components": {
            "schemas": _schemas(telling),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"key": []}],
    }


def _paths(telling: Telling, schema: Schema) -> Json:
    base = f"/v2/models/{telling.name}"
    paths: Json = {
        "/v2": _get("Server", "What the server is"),
        "/v2/health/live": _get("Live", "Whether the server runs"),
        "/v2/health/ready": _get("Ready", "Whether the server takes requests", ready=True),
    }
    for start in (base, f"{base}/versions/{telling.version}"):
        paths[start] = _get("Model", "What the model eats and answers")
        paths[f"{start}/ready"] = _get("ModelReady", "Whether the model takes requests", ready=True)
        paths[f"{start}/infer"] = _post("Inference", "Ask the model", telling, schema)
        paths[f"{start}/explain"] = _post("Explanation", "Ask why", telling, schema)
    return paths


def _get(name: str, about: str, *, ready: bool = False) -> Json:
    answers = {"200": _answer(name, about)} | _refusals(("401", "403", "421", "429"))
    if ready:
        answers = {"200": _answer(name, about), "503": _answer(name, "Not now.")}
    return {"get": {"summary": about, "responses": answers}}


def _post(name: str, about: str, telling: Telling, schema: Schema) -> Json:
    body = {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/Question"},
                "example": example(telling, schema),
            }
        },
    }
    answers = {"200": _answer(name, about)} | _refusals(tuple(REFUSED))
    return {"post": {"summary": about, "requestBody": body, "responses": answers}}


def example(telling: Telling, schema: Schema) -> Json:
    """Return a request that looks like one."""
    if schema.is_text:
        one = {"name": INPUT, "datatype": "BYTES", "shape": [1], "data": ["..."]}
    else:
        shape = [1, *schema.shape]
        one = {"name": INPUT, "datatype": "FP32", "shape": shape, "data": [0.0] * prod(shape)}
    return {"id": "1", "inputs": [one], "outputs": [{"name": telling.usual[0]}]}


def _answer(name: str, about: str) -> Json:
    return {
        "description": about,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}},
    }


def _refusals(codes: Sequence[str]) -> Json:
    found = {code: _answer("Refusal", REFUSED[code]) for code in codes}
    for code in ("429", "503", "504"):
        if code in found:
            found[code]["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    return found


def _object(properties: Mapping[str, Json], optional: Sequence[str] = ()) -> Json:
    needed = [name for name in properties if name not in optional]
    return {"type": "object", "properties": dict(properties), "required": needed}


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


TEXT: Json = {"type": "string"}
TRUTH: Json = {"type": "boolean"}
NUMBER: Json = {"type": "number"}
NUMBERS_OF_ROWS = _list(_list(NUMBER))
NUMBERS_OF_FEATURES = _list(NUMBERS_OF_ROWS)
SHAPE = _list({"type": "integer", "minimum": -1})
PARAMETERS: Json = {"type": "object"}
DATATYPE: Json = {"type": "string", "enum": [*NUMBERS, "BYTES"]}


def _schemas(telling: Telling) -> Json:
    described = _object({"name": TEXT, "datatype": DATATYPE, "shape": SHAPE})
    return {
        "Server": _object({"name": TEXT, "version": TEXT, "extensions": _list(TEXT)}),
        "Live": _object({"live": TRUTH}),
        "Ready": _object({"ready": TRUTH}),
        "ModelReady": _object({"name": TEXT, "ready": TRUTH}),
        "Model": _object(
            {"name": TEXT, "versions": _list(TEXT), "platform": TEXT, "inputs": _list(described),
             "outputs": _list(described), "columns": _list({"type": "object"})}
        ),
        "Question": _question(telling),
        "Inference": _inference(),
        "Explanation": _explanation(),
        "Refusal": _object({"error": TEXT, "reason": {"type": "string", "enum": list(REFUSALS)}}),
    }  # fmt: skip


def _question(telling: Telling) -> Json:
    shape = _list({"type": "integer", "minimum": 0}) | {"minItems": 1, "maxItems": 8}
    data = _list({"type": ["number", "string", "boolean", "null", "array"]})
    tensor = _object(
        {
            "name": TEXT,
            "shape": shape,
            "datatype": DATATYPE,
            "data": data,
            "parameters": PARAMETERS,
        },
        optional=("data", "parameters"),
    )
    output = _object(
        {"name": {"type": "string", "enum": list(telling.known)}, "parameters": PARAMETERS},
        optional=("parameters",),
    )
    return _object(
        {"id": TEXT | {"maxLength": 128}, "parameters": PARAMETERS, "outputs": _list(output),
         "inputs": _list(tensor) | {"minItems": 1}},
        optional=("id", "parameters", "outputs"),
    )  # fmt: skip


def _inference() -> Json:
    tensor = _object(
        {"name": TEXT, "shape": SHAPE, "datatype": DATATYPE, "data": _list({}), "parameters": PARAMETERS},
        optional=("data", "parameters"),
    )  # fmt: skip
    return _object(
        {"model_name": TEXT, "model_version": TEXT, "id": TEXT, "parameters": PARAMETERS,
         "outputs": _list(tensor)},
        optional=("parameters",),
    )  # fmt: skip


def _explanation() -> Json:
    errors = {"type": ["array", "null"]}
    return _object(
        {"model_name": TEXT, "model_version": TEXT, "id": TEXT, "method": TEXT, "reason": TEXT,
         "unit": TEXT, "background": TEXT, "converged": _list(TRUTH), "evaluations": {"type": "integer"},
         "features": _list(TEXT), "outputs": _list(TEXT), "base": NUMBERS_OF_ROWS,
         "score": NUMBERS_OF_ROWS, "values": NUMBERS_OF_FEATURES, "standard_error": errors}
    )  # fmt: skip
