"""The application: which path asks for what, and the guards around it."""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import torch

from fivefold.core.text import text
from fivefold.deploy.event import Event, Refusal, Sink
from fivefold.deploy.server.body import Gone
from fivefold.deploy.server.call import Call, Inner, Receive, Scope, Send, headers_of, language_of
from fivefold.deploy.server.paths import Paths
from fivefold.deploy.server.refused import Refused
from fivefold.deploy.server.reply import json_bytes, refusal_body, refusal_headers, send
from fivefold.deploy.server.tell import Telling

if TYPE_CHECKING:
    from starlette.routing import Router

log = logging.getLogger(__name__)
Check: TypeAlias = Callable[[Scope], str]
Life: TypeAlias = Callable[[], Awaitable[None]]


class App:
    """An ASGI application that serves one model.

    Args:
        paths: What is where.
        verbs: The guarded ways to the model.
        telling: How answers are worded.
        sinks: Who is told of every request; they must return at once.
        check: Names the client of any other path, or refuses.
        pages: Further routes.
        start: Called in the event loop before the first request.
        stop: Called after the last.
    """

    def __init__(  # noqa: PLR0913  the parts of a server; `served` puts them together
        self,
        *,
        paths: Paths,
        verbs: dict[str, Inner],
        telling: Telling,
        sinks: Sequence[Sink],
        check: Check,
        pages: "Router | None",
        start: Callable[[], None],
        stop: Callable[[], None],
    ) -> None:
        self.paths = paths
        self.verbs = verbs
        self.telling = telling
        self.sinks = tuple(sinks)
        self.check = check
        self.pages = pages
        self.start = start
        self.stop = stop
        self.is_ready = False
        self.on_drain: Callable[[], None] = lambda: None
        self._number = count(1)

    def drain(self) -> None:
        """Say from now on that no more requests are wanted."""
        self.is_ready = False
        self.on_drain()

    async def __call__(self, scope: Scope, receive: Receive, to: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._live(receive, to)
        elif scope["type"] == "http":
            verb = self.paths.verbs.get(scope["path"])
            if verb is not None and scope["method"] == "POST":
                await self._ask(scope, receive, to, verb)
            else:
                await self._other(scope, receive, to)

    async def _ask(
        self, scope: Scope, receive: Receive, to: Send, verb: Literal["infer", "explain"]
    ) -> None:
        call = Call(scope, receive, headers_of(scope), verb, time.perf_counter())
        try:
            await self.verbs[verb](call)
        except Gone:
            return
        except Refused as refused:
            await self._refuse(call, to, refused)
        except Exception:  # the caller learns nothing of our insides
            log.exception("a request failed")
            await self._refuse(call, to, Refused(500, "fault", text("The model failed.")))
        else:
            await self._answer(call, to)

    async def _answer(self, call: Call, to: Send) -> None:
        call.request = call.request or f"{next(self._number):x}"
        if call.told is not None:
            frame = {"model_name": self.telling.name, "model_version": self.telling.version}
            await self._send(call, to, json_bytes(frame | {"id": call.request, **call.told}))
        else:
            said = self.telling.tell(call)
            headers, kind = _binary(said.header)
            await self._send(call, to, said.body, headers, kind)
        self._emit(call, 200, "")

    async def _send(
        self,
        call: Call,
        to: Send,
        body: bytes,
        headers: Sequence[tuple[bytes, bytes]] = (),
        kind: bytes = b"application/json",
    ) -> None:
        await send(to, 200, body, headers, kind=kind, close=not self.is_ready)

    async def _refuse(self, call: Call, to: Send, refused: Refused) -> None:
        call.request = call.request or f"{next(self._number):x}"
        body = refusal_body(refused, call.language)
        close = (
            not call.is_read or not self.is_ready
        )  # what was not read must not be taken for more
        await send(to, refused.status, body, refusal_headers(refused), close=close)
        self._emit(call, refused.status, refused.refusal)

    def _emit(self, call: Call, status: int, refusal: Refusal) -> None:
        if not self.sinks:
            return
        answer = call.answer
        has_scores = answer is not None and answer.scores is not None
        event = Event(
            time=time.time(),
            request=call.request,
            client=call.client,
            verb=call.verb,
            status=status,
            refusal=refusal,
            seconds=time.perf_counter() - call.started,
            rows=0 if call.x is None else len(call.x),
            x=call.x,
            outputs=None if answer is None else torch.from_numpy(answer.outputs),
            scores=torch.from_numpy(answer.scores) if has_scores else None,  # type: ignore[union-attr]
            digest=call.digest,
        )
        for sink in self.sinks:
            try:
                sink(event)
            except Exception:  # one that fails must not fail the request
                log.exception("a sink failed")

    async def _other(self, scope: Scope, receive: Receive, to: Send) -> None:
        language = language_of(headers_of(scope))
        try:
            page = self.paths.open.get(scope["path"])
            if page is None:
                scope.setdefault("state", {})["client"] = self.check(scope)
                page = self.paths.closed.get(scope["path"])
            if page is not None or scope["path"] in self.paths.verbs:
                await self._page(scope, to, page)
            elif self.pages is not None:
                await self.pages(scope, receive, to)
            else:
                raise _nothing_here()
        except Refused as refused:
            body = refusal_body(refused, language)
            await send(to, refused.status, body, refusal_headers(refused), close=True)

    async def _page(self, scope: Scope, to: Send, page: "Callable[[], Any] | None") -> None:
        allowed = b"POST" if page is None else b"GET, HEAD"
        if page is None or scope["method"] not in ("GET", "HEAD"):
            refused = Refused(405, "malformed", text("This path knows another method."))
            body = refusal_body(refused, language_of(headers_of(scope)))
            await send(to, 405, body, [(b"allow", allowed)], close=True)
            return
        status, kind, body = page()
        await send(to, status, body, kind=kind)

    async def _live(self, receive: Receive, to: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.start()
                self.is_ready = True
                await to({"type": "lifespan.startup.complete"})
            else:
                self.is_ready = False
                self.stop()
                await to({"type": "lifespan.shutdown.complete"})
                return


def _binary(header: int | None) -> tuple[list[tuple[bytes, bytes]], bytes]:
    if header is None:
        return [], b"application/json"
    return [(b"inference-header-content-length", b"%d" % header)], b"application/octet-stream"


def _nothing_here() -> Refused:
    return Refused(404, "malformed", text("There is nothing at this path."))
