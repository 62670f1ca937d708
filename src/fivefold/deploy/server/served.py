"""Put a server together: the guards in their order, the model in the middle."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fivefold.core.errors import MissingExtra
from fivefold.core.model import Model
from fivefold.deploy.event import Sink
from fivefold.deploy.server.alarm import Alarm
from fivefold.deploy.server.app import App, Check
from fivefold.deploy.server.background import background_of
from fivefold.deploy.server.batcher import Batcher
from fivefold.deploy.server.body import Announced, named
from fivefold.deploy.server.call import Guard, Scope, Verb, Way, checked, headers_of
from fivefold.deploy.server.desk import Desk
from fivefold.deploy.server.examples import Examples
from fivefold.deploy.server.forward import forward_of
from fivefold.deploy.server.hosts import Hosts
from fivefold.deploy.server.keys import Token
from fivefold.deploy.server.limits import Room, Rows
from fivefold.deploy.server.paths import paths_of
from fivefold.deploy.server.personal import Personal, PersonalFilter
from fivefold.deploy.server.post import Post
from fivefold.deploy.server.rate import Rate, address_of
from fivefold.deploy.server.schema_check import SchemaCheck
from fivefold.deploy.server.settings import Settings
from fivefold.deploy.server.tell import Telling
from fivefold.deploy.server.why import Why
from fivefold.deploy.server.wire import Reading
from fivefold.security.detector import FittedMahalanobis

if TYPE_CHECKING:
    from starlette.routing import BaseRoute, Router


@dataclass(frozen=True, kw_only=True)
class Served:
    """What is served.

    Attributes:
        model: The model.
        settings: Limits of the guards.
        detector: Its fitted detector, if it has one.
        keys: The client of each hash of a key; empty where none is needed.
        personal: Finder of personal data; None finds nothing.
    """

    model: Model
    settings: Settings = Settings()
    detector: FittedMahalanobis | None = None
    keys: Mapping[str, str] | None = None
    personal: PersonalFilter | None = None


def app_of(
    served: Served,
    sinks: Sequence[Sink] = (),
    routes: "Sequence[BaseRoute]" = (),
    is_full: Callable[[], bool] = lambda: False,
) -> tuple[App, Batcher]:
    """Return the application, and the batcher whose queue a monitor may watch.

    Args:
        served: What is served.
        sinks: Who is told of every request, in a thread of their own.
        routes: Further pages; they need a key where keys are needed.
        is_full: Returns whether what happens could not be recorded; then nothing is answered.

    Raises:
        MissingExtra: fastapi is not installed.
    """
    s, model = served.settings, served.model
    detector = None if s.detector == "off" else served.detector
    batcher = Batcher(forward_of(model, detector), s.batch, s.seconds)
    why = Why(model, background_of(model.schema), s.explain_seconds)
    post = Post(sinks, is_full)
    telling = Telling(s.name, s.version, model.task)
    rate = Rate(s.per_second, s.burst) if s.per_second else None
    room = Room(batcher.wait, s.wait_seconds, post.is_full)
    ways = _ways(served, telling, batcher, why, [*_known(served, rate), room])
    app = App(
        paths=paths_of(telling, model.schema, lambda: app.is_ready),
        desk=Desk(
            ways=ways,
            telling=telling,
            post=post,
            settings=s,
            is_ready=lambda: app.is_ready,
        ),
        check=_check(served, rate),
        pages=_router(routes),
        start=lambda: _start(batcher, post, model),
        stop=lambda: _stop(batcher, why, post),
    )
    return app, batcher


def _ways(
    served: Served, telling: Telling, batcher: Batcher, why: Why, head: Sequence[Guard]
) -> dict[Verb, Way]:
    s, schema = served.settings, served.model.schema
    rows = Rows(lambda: batcher.waiting, s.most_waiting)
    head = [*head, rows]
    body: list[Guard] = [
        named,
        Reading(Examples(schema, s.most_rows), telling.known),
        SchemaCheck(schema),
        *([Personal(served.personal)] if served.personal else []),
        rows,
    ]
    detector = None if s.detector == "off" else served.detector
    alarm = [Alarm(detector.threshold, refuses=s.detector != "flag")] if detector else []
    explaining = checked(batcher.submit, alarm, why) if alarm else why
    return {
        "infer": Way(head=tuple(head), body=tuple(body), core=batcher.submit, answer=tuple(alarm)),
        "explain": Way(head=tuple(head), body=tuple(body), core=explaining),
    }


def _known(served: Served, rate: Rate | None) -> list[Guard]:
    """Return the guards that ask who calls, and whether it announces more than it may."""
    s = served.settings
    asked = (
        Hosts(s.hosts) if s.hosts else None,
        Token(served.keys) if served.keys else None,
        rate,
        Announced(s.most_bytes),
    )
    return [guard for guard in asked if guard is not None]


def _check(served: Served, rate: Rate | None) -> Check:
    token = Token(served.keys) if served.keys else None
    hosts = Hosts(served.settings.hosts) if served.settings.hosts else None

    def check(scope: Scope) -> str:
        if hosts:
            hosts.check(scope)
        path = scope["path"]
        is_seen = path in ("/live", "/metrics") or path.startswith("/live/")
        client = token.client(scope, headers_of(scope), for_browsers=is_seen) if token else ""
        if rate is not None and scope["method"] == "POST":  # labels that come back
            rate.check(client or address_of(scope.get("client")))
        return client

    return check


def _router(routes: "Sequence[BaseRoute]") -> "Router | None":
    if not routes:
        return None
    try:
        from starlette.routing import Router
    except ImportError as error:
        raise MissingExtra(
            "Serving needs {package}.", mend='pip install "fivefold[serve]"', package="starlette"
        ) from error
    return Router(list(routes))


def _start(batcher: Batcher, post: Post, model: Model) -> None:
    post.start()
    batcher.start(background_of(model.schema).rows)


def _stop(batcher: Batcher, why: Why, post: Post) -> None:
    batcher.stop()
    why.stop()
    post.stop()
