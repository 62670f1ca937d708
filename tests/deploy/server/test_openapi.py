"""Every operation of the OpenAPI description, asked at random (schemathesis): true to it, and never a 5xx."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as chances
from toy_served import toy_model

from fivefold.deploy.server import Served, Settings, app_of, opened
from fivefold.deploy.server.protocol import protocol_of

schemathesis = pytest.importorskip("schemathesis")
# A JSON schema cannot say that the data must fill the shape, so not all that fits it is a good request.
positive_data_acceptance = pytest.importorskip(
    "schemathesis.specs.openapi.checks"
).positive_data_acceptance
uvicorn = pytest.importorskip("uvicorn")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    settings = Settings(name="toy", connections=5000)
    app, _ = app_of(Served(model=toy_model(), settings=settings))
    door = opened("127.0.0.1", 0)
    config = uvicorn.Config(app, http=protocol_of(app), ws="none", lifespan="on", log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([door])), daemon=True)
    thread.start()
    port = door.getsockname()[1]
    for _ in range(100):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            break
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


def check(url: str, n: int) -> None:
    schema: Any = schemathesis.openapi.from_url(f"{url}/openapi.json")
    rules = chances(
        max_examples=n,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    operations = [o.ok() for o in schema.get_all_operations()]
    assert len(operations) == 11
    for operation in operations:

        @rules
        @given(case=operation.as_strategy())
        def one(case: Any) -> None:
            answer = case.call(base_url=url)
            case.validate_response(answer, excluded_checks=[positive_data_acceptance])
            assert answer.status_code < 500

        one()


def test_every_operation_is_true_to_its_description(url: str) -> None:
    check(url, 20)


@pytest.mark.slow
def test_every_operation_is_true_to_its_description_at_length(url: str) -> None:
    check(url, 100)
