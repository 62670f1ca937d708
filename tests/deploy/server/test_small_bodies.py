"""A small body cannot become large in memory: what it would take is known before it is taken."""

import json
import tracemalloc
from typing import Any

import pytest

from fivefold.core.schema import Column, Schema
from fivefold.deploy.server.call import Call
from fivefold.deploy.server.examples import Examples
from fivefold.deploy.server.refused import Refused
from fivefold.deploy.server.wire import HEADER, Reading

WIDE = Schema(columns=tuple(Column(name=f"c{i}") for i in range(200)), shape=(200,))
TEXTS = Schema(shape=(1000,), is_text=True)
N = 20_000
MOST = 8_000_000  # bytes


def asked(told: dict[str, Any], tail: bytes = b"") -> Call:
    head = json.dumps({"inputs": [told]}).encode()
    call = Call({}, {HEADER: b"%d" % len(head)} if tail else {}, "infer", 0.0)
    call.body = head + tail
    return call


def strings_as_numbers(kind: str, depth: int) -> Call:
    data: list[Any] = ["x" * 20_000, *[""] * 1_000]
    for _ in range(depth):
        data = [data]
    return asked({"name": "input", "datatype": kind, "shape": [1, 200], "data": data})


CALLS = {
    "strings as floats": (400, strings_as_numbers("FP32", 0)),
    "strings as whole numbers": (400, strings_as_numbers("INT64", 0)),
    "strings in lists": (400, strings_as_numbers("FP64", 3)),
    "one column of many": (
        413,
        asked(
            {
                "name": "c0",
                "datatype": "UINT8",
                "shape": [N],
                "parameters": {"binary_data_size": N},
            },
            bytes(N),
        ),
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_table(name: str) -> None:
    status, call = CALLS[name]
    assert refused(Examples(WIDE, 1024), call) == status


def test_many_short_texts() -> None:
    call = asked({"name": "input", "datatype": "BYTES", "shape": [N], "data": ["a"] * N})
    assert refused(Examples(TEXTS, 1024), call) == 413


def refused(examples: Examples, call: Call) -> int:
    """Return the status of the refusal; what is read meanwhile must stay small."""
    tracemalloc.start()
    try:
        with pytest.raises(Refused) as found:
            Reading(examples, ("value",))(call)
        assert tracemalloc.get_traced_memory()[1] < MOST
    finally:
        tracemalloc.stop()
    return found.value.status
