"""Attributions as JSON and back, without losing a bit: what is infinite or not a number is a word."""

import json
from collections.abc import Mapping
from math import isfinite, prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from fivefold.core.atomic import write_atomic
from fivefold.core.codec import construct, encode
from fivefold.core.errors import BadInput
from fivefold.core.schema import Schema
from fivefold.core.text import Text
from fivefold.perturb import Groups

if TYPE_CHECKING:
    from fivefold.explanation.attribution import Attribution

FORM = "fivefold.attribution/1"
TENSORS = ("values", "base", "score", "error", "is_converged", "fit", "x")


def json_of(found: "Attribution", path: Path | None, *, inputs: bool) -> str:
    """Return the attribution as JSON."""
    kept = TENSORS if inputs else TENSORS[:-1]
    told: dict[str, Any] = {"form": FORM, "method": found.method}
    told |= {name: _plain(getattr(found, name)) for name in ("unit", "reason")}
    told |= {"outputs": list(found.outputs), "features": list(found.names)}
    told |= {"n_evaluations": found.n_evaluations, "is_standard": found.is_standard}
    told |= {"member": _told(found.groups.member), "shape": list(found.groups.shape)}
    told |= {name: _told(getattr(found, name)) for name in kept}
    told["schema"] = None if found.schema is None else encode(found.schema)
    written = json.dumps(told, ensure_ascii=False, allow_nan=False)
    if path is not None:
        write_atomic(path, written + "\n")
    return written


def attribution_from(told: str | Path, kind: type["Attribution"]) -> "Attribution":
    """Return what `json_of` wrote, as an attribution of the class `kind`.

    Raises:
        BadInput: It is something else, or its parts do not fit together.
    """
    where = str(told) if isinstance(told, Path) else "JSON"
    try:
        read = json.loads(told.read_text(encoding="utf-8") if isinstance(told, Path) else told)
    except (ValueError, OSError) as error:
        raise _broken(where, str(error)) from error
    if not isinstance(read, Mapping) or read.get("form") != FORM:
        raise _broken(where, f"form: {FORM}")
    try:
        return _checked(_made(read, kind, where), where)
    except (
        LookupError,
        TypeError,
        ValueError,
        RuntimeError,
        AttributeError,
        ArithmeticError,
    ) as error:
        raise _broken(where, f"{type(error).__name__}: {error}") from error


def _made(read: Mapping[str, Any], kind: type["Attribution"], where: str) -> "Attribution":
    needed = ("values", "base", "score", "is_converged")
    tensors: dict[str, Any] = {name: _tensor(read.get(name)) for name in ("error", "fit", "x")}
    tensors |= {name: _needed(read[name]) for name in needed}
    schema = read.get("schema")
    return kind(
        **tensors,
        groups=Groups(tuple(map(str, read["features"])), _needed(read["member"]), tuple(map(int, read["shape"]))),
        outputs=tuple(map(str, read["outputs"])),
        method=str(read["method"]),
        unit=_text(read["unit"]),
        reason=_text(read["reason"]),
        n_evaluations=int(read["n_evaluations"]),
        is_standard=bool(read["is_standard"]),
        schema=None if schema is None else construct(Schema, {k: v for k, v in schema.items() if k != "use"}, where=where),
    )  # fmt: skip


def _checked(found: "Attribution", where: str) -> "Attribution":
    """Return the attribution, known to fit together: a picture of one that does not would lie."""
    rows, n, outputs = found.values.shape
    wanted = {"base": (rows, outputs), "score": (rows, outputs), "is_converged": (rows,)}
    wanted |= {} if found.error is None else {"error": (rows, n, outputs)}
    wanted |= {} if found.fit is None else {"fit": (rows, outputs)}
    for name, shape in wanted.items():
        if tuple(getattr(found, name).shape) != shape:
            raise _broken(where, f"{name}: {tuple(getattr(found, name).shape)}, {shape}")
    member, x = found.groups.member, found.x
    fits = (
        (len(found.names), len(found.outputs)) == (n, outputs)
        and prod(found.groups.shape) == n
        and bool(((member >= 0) & (member < max(n, 1))).all())
        and found.is_converged.dtype is torch.bool
        and (x is None or (len(x) == rows and x[:1].numel() in (0, len(member))))
    )
    if not fits:
        raise _broken(where, f"features: {n}, outputs: {outputs}, rows: {rows}")
    return found


def _told(tensor: Tensor | None) -> dict[str, Any] | None:
    if tensor is None:
        return None
    flat = [_number(v) for v in tensor.detach().cpu().flatten().tolist()]
    return {
        "kind": str(tensor.dtype).removeprefix("torch."),
        "shape": list(tensor.shape),
        "numbers": flat,
    }


def _number(value: float | bool) -> float | bool | str:
    return value if isfinite(value) else str(value)


def _tensor(told: Mapping[str, Any] | None) -> Tensor | None:
    if told is None:
        return None
    kind = getattr(torch, str(told["kind"]))
    if not isinstance(kind, torch.dtype):
        raise TypeError(told["kind"])
    numbers = [float(v) if isinstance(v, str) else v for v in told["numbers"]]
    return torch.tensor(numbers, dtype=kind).reshape([int(n) for n in told["shape"]])


def _needed(told: Mapping[str, Any]) -> Tensor:
    found = _tensor(told)
    if found is None:
        raise TypeError("null")
    return found


def _plain(sentence: Text) -> dict[str, Any]:
    return {"template": sentence.template, "facts": dict(sentence.facts)}


def _text(told: Mapping[str, Any]) -> Text:
    return Text(str(told["template"]), dict(told["facts"]))


def _broken(where: str, problem: str) -> BadInput:
    return BadInput(
        "This is no attribution: {problem}.",
        where=where,
        mend="Give what Attribution.to_json wrote.",
        problem=problem,
    )
