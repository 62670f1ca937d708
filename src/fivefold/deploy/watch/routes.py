"""What the monitor shows over HTTP: the live page, its stream, its state, its evidence, Prometheus, feedback."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from fivefold.core.errors import FivefoldError, MissingExtra
from fivefold.core.text import Language
from fivefold.deploy.watch.labels import Labels, labels_of
from fivefold.deploy.watch.live import seal_live
from fivefold.deploy.watch.metrics import registry_of
from fivefold.deploy.watch.monitor import Monitor
from fivefold.deploy.watch.page import page, page_headers
from fivefold.deploy.watch.state import state_of
from fivefold.deploy.watch.stream import Stream

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

PRIVATE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
MOST_BYTES = 65_536
TRIES, PAUSE = 4, 0.15  # at labels that come at once, and seconds between them


def routes(monitor: Monitor) -> "list[BaseRoute]":
    """Return the routes of a monitor, for a Starlette or FastAPI application.

    `/live`, `/live/stream`, `/live/state`, `/live/evidence.json`, `/metrics` and
    `/v2/models/NAME/feedback`. Who may ask is for the server to decide. Who asked is read from
    `request.state.client`, so that nobody labels the requests of others.

    Raises:
        MissingExtra: starlette or prometheus-client is not installed.
    """
    try:
        from starlette.routing import Route
    except ImportError as error:
        raise MissingExtra(
            "The live page needs {package}.",
            mend='pip install "fivefold[serve]"',
            package="starlette",
        ) from error
    return [
        Route("/live", _page(monitor)),
        Route("/live/stream", Stream(monitor), methods=["GET"]),
        Route("/live/state", _state(monitor)),
        Route("/live/evidence.json", _evidence(monitor)),
        Route("/metrics", _metrics(monitor)),
        Route("/v2/models/{name}/feedback", _feedback(monitor), methods=["POST"]),
    ]


def language_of(query: str | None, accepts: str | None) -> Language:
    """Return the language that `?lang=` or Accept-Language asks for; English otherwise."""
    if query in ("en", "zh"):
        return "zh" if query == "zh" else "en"
    for part in (accepts or "").split(",")[:20]:
        tag = part.partition(";")[0].strip().lower()
        if tag[:2] in ("zh", "en"):
            return "zh" if tag.startswith("zh") else "en"
    return "en"


def _asked(request: "Request") -> Language:
    return language_of(request.query_params.get("lang"), request.headers.get("accept-language"))


def _page(monitor: Monitor) -> "Callable[[Request], Response]":
    from starlette.responses import HTMLResponse

    def show(request: "Request") -> "Response":
        return HTMLResponse(page(monitor, _asked(request)), headers=page_headers())

    return show


def _state(monitor: Monitor) -> "Callable[[Request], Response]":
    from starlette.responses import Response

    def show(request: "Request") -> "Response":
        told = json.dumps(state_of(monitor, _asked(request)), ensure_ascii=False, allow_nan=False)
        return Response(told, media_type="application/json", headers=PRIVATE)

    return show


def _evidence(monitor: Monitor) -> "Callable[[Request], Response]":
    from starlette.responses import Response

    def show(request: "Request") -> "Response":
        return Response(seal_live(monitor.live()), media_type="application/json", headers=PRIVATE)

    return show


def _metrics(monitor: Monitor) -> "Callable[[Request], Response]":
    from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
    from starlette.responses import Response

    registry = registry_of(monitor)

    def show(request: "Request") -> "Response":
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST, headers=PRIVATE)

    return show


def _feedback(monitor: Monitor) -> "Callable[[Request], Awaitable[Response]]":
    from starlette.responses import JSONResponse

    async def take(request: "Request") -> "Response":
        if request.path_params["name"] != monitor.subject.name:
            return JSONResponse({"error": "There is no such model."}, 404)
        body = await _body(request)
        if body is None:
            return JSONResponse({"error": "The body is too large."}, 413)
        try:
            told = labels_of(body, monitor.subject.task)
        except FivefoldError as error:
            return JSONResponse({"error": str(error)}, 400)
        client = str(getattr(request.state, "client", ""))
        known = await _taken(monitor, told, client)
        answer: dict[str, Any] = {"request": told.request, "accepted": known}
        return JSONResponse(answer, 200 if known else 404, headers=PRIVATE)

    return take


async def _taken(monitor: Monitor, told: Labels, client: str) -> bool:
    """Hand the labels over; a request that was answered a moment ago may still be on its way to the monitor."""
    from starlette.concurrency import run_in_threadpool

    for _ in range(TRIES):
        if await run_in_threadpool(monitor.label, told.request, told.labels, client):
            return True
        await asyncio.sleep(PAUSE)
    return False


async def _body(request: "Request") -> bytes | None:
    read = bytearray()
    async for chunk in request.stream():
        read += chunk
        if len(read) > MOST_BYTES:
            return None
    return bytes(read)
