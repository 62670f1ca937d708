"""A request of the Open Inference Protocol v2, read: JSON, or JSON with bytes behind it."""

from collections.abc import Mapping
from typing import Any

from fivefold.core.text import text
from fivefold.deploy.server.call import Call
from fivefold.deploy.server.examples import Examples
from fivefold.deploy.server.refused import malformed
from fivefold.deploy.server.tensors import Named, read_tensor

HEADER = b"inference-header-content-length"
MOST_INPUTS = 4096
LONGEST_ID = 128


class Reading:
    """Turns a body into examples.

    Args:
        examples: How named tensors become what the model eats.
        outputs: Names that a caller may ask for.
    """

    def __init__(self, examples: Examples, outputs: tuple[str, ...]) -> None:
        self.examples = examples
        self.outputs = outputs

    def __call__(self, call: Call) -> None:
        """Read and go on, or refuse with 400."""
        told, binary = _split(call)
        call.asked = _asked(told)
        call.request = _id(call.asked.get("id", ""))
        if call.verb == "infer":
            self._check_outputs(call.asked.get("outputs", ()))
        call.x, call.strings = self.examples.of(_inputs(call.asked.get("inputs"), binary))
        call.rows = call.x.shape[0]

    def _check_outputs(self, asked: Any) -> None:
        if not isinstance(asked, list | tuple):
            raise malformed(text("outputs is a list of names."))
        for one in asked:
            if not isinstance(one, dict) or one.get("name") not in self.outputs:
                known = ", ".join(self.outputs)
                raise malformed(text("The outputs are: {known}.", known=known))
            _parameters(one)


def _split(call: Call) -> tuple[bytes, memoryview | None]:
    """Return the JSON and, if the header speaks of any, the bytes behind it."""
    told = call.headers.get(HEADER)
    if told is None:
        return call.body, None
    n = int(told) if told.isdigit() and len(told) < 12 else -1
    if not 0 < n <= len(call.body):
        raise malformed(text("Inference-Header-Content-Length does not fit the body."))
    return call.body[:n], memoryview(call.body)[n:]


def _asked(body: bytes) -> Mapping[str, Any]:
    from pydantic_core import from_json

    try:
        told = from_json(body, allow_inf_nan=False)
    except (ValueError, RecursionError):
        raise malformed(text("The body is not JSON.")) from None
    if not isinstance(told, dict):
        raise malformed(text("The body is not a JSON object."))
    _parameters(told)
    return told


def _id(told: Any) -> str:
    if not isinstance(told, str) or len(told) > LONGEST_ID or not (told.isprintable()):
        raise malformed(text("An id is a short string."))
    return told


def _parameters(told: Mapping[str, Any]) -> Mapping[str, Any]:
    found = told.get("parameters", {})
    if not isinstance(found, dict):
        raise malformed(text("parameters is an object."))
    return found


def _inputs(told: Any, binary: memoryview | None) -> list[Named]:
    if not isinstance(told, list) or not 0 < len(told) <= MOST_INPUTS:
        raise malformed(text("inputs is a list of tensors."))
    found: list[Named] = []
    at = 0
    for one in told:
        size = _size(one)
        if size is None:
            found.append(read_tensor(one, None))
            continue
        if binary is None or at + size > len(binary):
            raise malformed(text("The bytes behind the JSON do not fit binary_data_size."))
        found.append(read_tensor(one, binary[at : at + size]))
        at += size
    if binary is not None and at != len(binary):
        raise malformed(text("The bytes behind the JSON do not fit binary_data_size."))
    return found


def _size(told: Any) -> int | None:
    """Return how many of the bytes behind the JSON belong to an input; None if its data are in the JSON."""
    if not isinstance(told, dict) or "parameters" not in told:
        return None
    size = _parameters(told).get("binary_data_size")
    if size is None:
        return None
    if type(size) is not int or size < 0:
        raise malformed(text("The bytes behind the JSON do not fit binary_data_size."))
    return size
