"""Put a server together: the guards in their order, the model in the middle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fivefold.core.errors import MissingExtra
from fivefold.core.model import Model
from fivefold.deploy.event import Sink
from fivefold.deploy.server.alarm import Alarm
from fivefold.deploy.server.app import App, Check
from fivefold.deploy.server.background import background_of
from fivefold.deploy.server.batcher import Batcher
from fivefold.deploy.server.body import Body
from fivefold.deploy.server.call import Call, Guard, Inner, Scope, headers_of, onion
from fivefold.deploy.server.examples import Examples
from fivefold.deploy.server.forward import forward_of
from fivefold.deploy.server.keys import Token
from fivefold.deploy.server.limits import Queue, Time
from fivefold.deploy.server.paths import paths_of
from fivefold.deploy.server.personal import Personal, PersonalFilter
from fivefold.deploy.server.rate import Rate
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
    served: Served, sinks: Sequence[Sink] = (), routes: "Sequence[BaseRoute]" = ()
) -> tuple[App, Batcher]:
    """Return the application, and the batcher whose queue a monitor may watch.

    Args:
        served: What is served.
        sinks: Who is told of every request; they must return at once.
        routes: Further pages; they need a key where keys are needed.

    Raises:
        MissingExtra: fastapi is not installed.
    """
    s, model = served.settings, served.model
    detector = None if s.detector == "off" else served.detector
    batcher = Batcher(forward_of(model, detector), s.batch)
    why = Why(model, background_of(model.schema))
    telling = Telling(s.name, s.version, model.task)
    app = App(
        paths=paths_of(telling, model.schema, lambda: app.is_ready),
        verbs=_verbs(served, detector, telling, batcher, why),
        telling=telling,
        sinks=sinks,
        check=_check(served),
        pages=_router(routes),
        start=batcher.start,
        stop=lambda: _stop(batcher, why),
    )
    return app, batcher


def _verbs(
    served: Served,
    detector: FittedMahalanobis | None,
    telling: Telling,
    batcher: Batcher,
    why: Why,
) -> dict[str, Inner]:
    s, schema = served.settings, served.model.schema
    outer: list[Guard] = [Token(served.keys)] if served.keys else []
    if s.per_second:
        outer.append(Rate(s.per_second, s.burst))
    outer += [
        Body(s.most_bytes),
        Reading(Examples(schema), telling.known),
        SchemaCheck(schema),
        *([Personal(served.personal)] if served.personal else []),
        Queue(s.most_waiting, lambda: batcher.waiting, s.most_rows),
    ]
    alarm = [Alarm(detector.threshold, refuses=s.detector == "refuse")] if detector else []

    async def ask(call: Call) -> None:
        assert call.x is not None
        call.answer = await batcher.ask(call.x)

    return {
        "infer": onion([Time(s.body_seconds, s.seconds), *outer, *alarm], ask),
        "explain": onion([Time(s.body_seconds, s.explain_seconds), *outer], why),
    }


def _check(served: Served) -> Check:
    token = Token(served.keys) if served.keys else None

    def check(scope: Scope) -> str:
        path = scope["path"]
        is_seen = path in ("/live", "/metrics") or path.startswith("/live/")
        return token.client(scope, headers_of(scope), for_browsers=is_seen) if token else ""

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


def _stop(batcher: Batcher, why: Why) -> None:
    batcher.stop()
    why.stop()
