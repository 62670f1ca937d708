"""uvicorn's HTTP protocol with a time and a size for each request, and a short way to the model."""

import asyncio
from typing import Any

from fivefold.deploy.server.app import App
from fivefold.deploy.server.exchange import Exchange
from fivefold.deploy.server.patience import Patience


def protocol_of(app: App) -> type[asyncio.Protocol]:
    """Return the protocol."""
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

    class Direct(HttpToolsProtocol):
        patience: Patience

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.patience = _patience(self, app)

        def data_received(self, data: bytes) -> None:
            self.patience.before(data)
            super().data_received(data)
            self.patience.after()

        def on_headers_complete(self) -> None:
            self.patience.head_ends()
            super().on_headers_complete()

        def on_message_complete(self) -> None:
            super().on_message_complete()
            self.patience.request_ends()

        def connection_lost(self, exc: Exception | None) -> None:
            self.patience.forget()
            super().connection_lost(exc)

        def _start_asgi_task(self, cycle: Any, app_: Any) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
            if not _begun(self, app, cycle):
                super()._start_asgi_task(cycle, app_)

    return Direct


def _patience(protocol: Any, app: App) -> Patience:
    """Watch a new connection; hang up on one too many."""
    settings = app.desk.settings
    if len(protocol.connections) > settings.connections:
        protocol.transport.close()
    return Patience(protocol.transport, protocol.loop, settings, lambda: _give_up(protocol))


def _begun(protocol: Any, app: App, cycle: Any) -> bool:
    """Begin an exchange if the request asks the model."""
    verb = app.verb_of(cycle.scope)
    if verb is None:
        return False
    exchange = Exchange(app.desk, cycle, verb)
    if protocol.flow.write_paused:  # it does not read its answers
        protocol.loop.create_task(_drained(protocol.flow, exchange))
    elif cycle.more_body:
        exchange.begin()
    else:  # one of many that came at once; not from within its predecessor
        protocol.loop.call_soon(exchange.begin)
    return True


async def _drained(flow: Any, exchange: Exchange) -> None:
    await flow.drain()
    exchange.begin()


def _give_up(protocol: Any) -> None:
    """Hear that a body takes too long."""
    event = protocol.cycle.message_event if protocol.cycle else None
    if isinstance(event, Exchange):
        event.give_up()
    else:
        protocol.transport.close()
