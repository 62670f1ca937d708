"""What happened to one request: the noun that the audit log and the monitor share."""

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, get_args

import numpy as np
from torch import Tensor

Refusal: TypeAlias = Literal[
    "", "token", "rate", "size", "malformed", "schema", "personal", "detector", "queue", "time", "fault"
]  # fmt: skip
Floats: TypeAlias = np.ndarray[Any, np.dtype[np.floating[Any]]]
REFUSALS: tuple[Refusal, ...] = get_args(Refusal)[1:]  # without ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Event:
    """One request, answered or refused.

    Attributes:
        time: When it was answered, seconds since 1970, UTC.
        request: Its number or the id that the caller gave.
        client: Name of the key that was used; "" if none is needed.
        verb: What was asked for: "infer" or "explain"; "look" for any other page, of which refusals alone are
            recorded.
        status: HTTP status of the answer.
        refusal: Which guard refused it; "" if none did.
        seconds: From the first byte read to the answer written.
        rows: How many examples it held; 0 if they were never read.
        x: The examples, `(rows, ...)`. Never written to disk.
        outputs: What the model answered, `(rows, outputs)`: logits or numbers.
        scores: How suspicious the detector found each example, `(rows,)`.
        digest: SHA-256 of the body, so that a caller can prove what was asked.
    """

    time: float
    request: str
    client: str = ""
    verb: Literal["infer", "explain", "look"] = "infer"
    status: int = 200
    refusal: Refusal = ""
    seconds: float = 0.0
    rows: int = 0
    x: Tensor | None = field(default=None, repr=False)
    outputs: Floats | None = field(default=None, repr=False)
    scores: Floats | None = field(default=None, repr=False)
    digest: str = ""


class Sink(Protocol):
    """Whoever keeps records. Told of many requests at once: one large sum costs less than many small ones."""

    def __call__(self, *events: Event) -> None:
        """Take note of some requests, in their order."""
        ...
