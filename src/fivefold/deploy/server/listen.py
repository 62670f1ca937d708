"""The HTTP server: uvicorn with a limit on heads, slow callers and connections, and an end without loss."""

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from fivefold.core.errors import BadInput, MissingExtra
from fivefold.deploy.server.app import App

LOOPBACK = ("127.0.0.1", "::1", "localhost")
LAME = 0.5  # seconds in which a stopping server says so on every answer before it closes the door
SWITCH = 0.0005  # seconds that a thread beside the event loop may keep it waiting
GRACE = 30  # seconds for what was accepted


def check_address(host: str, *, has_keys: bool) -> None:
    """Refuse to listen to the world without keys.

    Raises:
        BadInput: `host` is not this machine alone, and there are no keys.
    """
    if host not in LOOPBACK and not has_keys:
        raise BadInput(
            "Beyond this machine every caller needs a key, and there are none.",
            where=host,
            mend="Make one with: fivefold serve --token-file FILE --make-key NAME",
        )


def opened(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes a free one.

    Raises:
        BadInput: The address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    door = socket.socket(family)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((host, port))
    except OSError as error:
        door.close()
        raise BadInput(
            "Nobody can listen at {host}, port {port}: {problem}.",
            mend="Choose another port with --port; 0 takes a free one.",
            host=host,
            port=port,
            problem=error.strerror or "",
        ) from error
    door.listen(2048)
    return door


def serve(app: App, door: socket.socket) -> None:
    """Answer until SIGTERM or SIGINT; then finish what was accepted.

    Raises:
        MissingExtra: uvicorn is not installed.
    """
    try:
        import uvicorn
        import uvloop
    except ImportError as error:
        raise MissingExtra(
            "Serving needs {package}.", mend='pip install "fivefold[serve]"', package="uvicorn"
        ) from error

    gc.freeze()  # what is there now stays: no search through the model for garbage
    sys.setswitchinterval(SWITCH)
    server = _server(uvicorn, app)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(server.serve([door]))


def _server(uvicorn: Any, app: App) -> Any:
    from fivefold.deploy.server.protocol import protocol_of

    config = uvicorn.Config(
        app, http=protocol_of(app), ws="none", lifespan="on", log_level="warning",
        access_log=False, server_header=False, date_header=False, proxy_headers=False,
        timeout_keep_alive=30, timeout_graceful_shutdown=GRACE,
    )  # fmt: skip

    class Server(uvicorn.Server):
        """Ends with 0, and only after saying so for a while."""

        @contextmanager
        def capture_signals(self) -> Generator[None]:
            def end() -> None:
                self.should_exit = True

            def ending(*_: object) -> None:
                app.drain()
                loop.call_soon_threadsafe(loop.call_later, LAME, end)

            loop = asyncio.get_running_loop()
            with _signals(ending):
                yield

    return Server(config)


@contextmanager
def _signals(ending: Callable[..., None]) -> Generator[None]:
    kinds = (signal.SIGTERM, signal.SIGINT)
    before = {kind: signal.signal(kind, ending) for kind in kinds}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
