"""The application: what is to be seen beside the model, and its beginning and end.

Questions to the model do not come here; see `Exchange`.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from fivefold.core.text import text
from fivefold.deploy.server.call import Call, Receive, Scope, Send, Verb, headers_of, language_of
from fivefold.deploy.server.desk import Desk
from fivefold.deploy.server.paths import Paths
from fivefold.deploy.server.refused import Refused
from fivefold.deploy.server.reply import refusal_body, refusal_headers, send

if TYPE_CHECKING:
    from starlette.routing import Router

Check: TypeAlias = Callable[[Scope], str]


class App:
    """An ASGI application beside one model.

    Args:
        paths: What is where.
        desk: What questions to the model need.
        check: Names the client of any other path, or refuses.
        pages: Further routes.
        start: Called in the event loop before the first request.
        stop: Called after the last.
    """

    def __init__(
        self,
        *,
        paths: Paths,
        desk: Desk,
        check: Check,
        pages: "Router | None",
        start: Callable[[], None],
        stop: Callable[[], None],
    ) -> None:
        self.paths = paths
        self.desk = desk
        self.check = check
        self.pages = pages
        self.start = start
        self.stop = stop
        self.is_ready = False
        self.on_drain: Callable[[], None] = lambda: None

    def drain(self) -> None:
        """Say from now on that no more requests are wanted."""
        self.is_ready = False
        self.on_drain()

    def verb_of(self, scope: Scope) -> Verb | None:
        """Return what a request asks the model for; None if it does not ask the model."""
        return self.paths.verbs.get(scope["path"]) if scope["method"] == "POST" else None

    async def __call__(self, scope: Scope, receive: Receive, to: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._live(receive, to)
        elif scope["type"] == "http":
            await self._see(scope, receive, to)

    async def _see(self, scope: Scope, receive: Receive, to: Send) -> None:
        started, headers = time.perf_counter(), headers_of(scope)
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
            body = refusal_body(refused, language_of(headers))
            await send(to, refused.status, body, refusal_headers(refused), close=True)
            if refused.refusal in ("token", "rate"):  # somebody tries keys, or does not stop
                call = Call(scope, headers, "look", started)
                self.desk.post.put(call, refused.status, refused.refusal)

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


def _nothing_here() -> Refused:
    return Refused(404, "malformed", text("There is nothing at this path."))
