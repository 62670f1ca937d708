"""How a model is served."""

from dataclasses import dataclass
from typing import Literal

from fivefold.core.limits import Count, Positive
from fivefold.deploy.server.hosts import LOOPBACK

Detecting = Literal["auto", "refuse", "flag", "off"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Limits of the guards.

    Attributes:
        name: Name under which the model is served.
        version: Its version.
        most_bytes: Bytes of a body.
        most_rows: Examples in one request.
        most_waiting: Examples that may wait for the model; the last request let in may go beyond.
        wait_seconds: What waits may take; beyond it new requests are refused before their body is read.
        batch: Examples that the model answers at once.
        seconds: For an answer.
        explain_seconds: For an explanation.
        body_seconds: For a body to arrive.
        head_seconds: For the head of a request to arrive.
        connections: Open at once.
        per_second: Requests per second and client; None for no limit.
        burst: Requests at once and client.
        hosts: Names by which a caller may know the server; empty for any.
        detector: Whether the detector refuses, flags, or is not asked; "auto" refuses if whoever serves does not
            decide otherwise.
        refuses_personal: Whether strings with personal data are refused.
    """

    name: str = "model"
    version: str = "1"
    most_bytes: Count = 8_000_000
    most_rows: Count = 1024
    most_waiting: Count = 4096
    wait_seconds: Positive = 0.25
    batch: Count = 64
    seconds: Positive = 10.0
    explain_seconds: Positive = 30.0
    body_seconds: Positive = 10.0
    head_seconds: Positive = 10.0
    connections: Count = 512
    per_second: Positive | None = None
    burst: Count = 100
    hosts: tuple[str, ...] = LOOPBACK
    detector: Detecting = "refuse"
    refuses_personal: bool = False
