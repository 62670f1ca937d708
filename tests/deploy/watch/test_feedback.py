"""True labels over HTTP: only who asked may label, once, with classes that exist."""

import json
import sys
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send
from watching import event, monitor_of, rows

from fivefold.deploy.watch import Monitor, routes
from fivefold.deploy.watch.feedback import MOST_ROWS
from fivefold.deploy.watch.routes import MOST_BYTES, language_of

feedback_routes = sys.modules[
    "fivefold.deploy.watch.routes"
]  # the package shows a function of that name
PATH = "/v2/models/toy/feedback"


class Named:
    """Names the client as the server's guard does."""

    def __init__(self, app: Starlette) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope.setdefault("state", {})["client"] = dict(scope["headers"])[b"x-client"].decode()
        await self.app(scope, receive, send)


@pytest.fixture(scope="module", autouse=True)
def at_once() -> Iterator[None]:
    """Do not wait for requests that might still be on their way."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feedback_routes, "PAUSE", 0.0)
        yield


@pytest.fixture(scope="module")
def monitor() -> Monitor:
    return monitor_of()


@pytest.fixture(scope="module")
def ask(monitor: Monitor):
    client = TestClient(Named(Starlette(routes=routes(monitor))))

    def asked(body: object, who: str = "ann", path: str = PATH):
        told = body if isinstance(body, bytes) else json.dumps(body).encode()
        return client.post(path, content=told, headers={"x-client": who})

    return asked


def test_only_who_asked_may_label_and_only_once(monitor, ask):
    monitor(event(rows(2), request="r1", client="ann"))
    told = {"id": "r1", "label": ["no", "yes"]}
    assert ask(told, "bob").status_code == 404
    assert ask(told, "").status_code == 404
    assert len(monitor.view().pairs) == 0
    good = ask(told, "ann")
    assert (good.status_code, good.json()["accepted"]) == (200, True)
    assert ask(told, "ann").status_code == 404
    assert len(monitor.view().pairs) == 2


def test_a_label_that_overtakes_its_request_is_taken(monitor, ask, monkeypatch):
    monkeypatch.setattr(feedback_routes, "PAUSE", 0.2)
    late = threading.Timer(0.1, monitor, [event(rows(1), request="late", client="ann")])
    late.start()
    assert ask({"id": "late", "label": "no"}).status_code == 200
    late.join()


def test_two_clients_may_use_the_same_id(monitor, ask):
    monitor(event(rows(1), request="same", client="ann"))
    monitor(event(rows(1), request="same", client="bob"))
    assert ask({"id": "same", "label": "no"}, "ann").status_code == 200
    assert ask({"id": "same", "label": "yes"}, "bob").status_code == 200


def test_refused_unread_and_unfit_requests_cannot_be_labelled(monitor, ask):
    monitor(event(rows(1), request="refused", client="ann", refusal="detector", status=403))
    monitor(event(rows(1), request="why", client="ann", verb="explain"))
    monitor(event(rows(MOST_ROWS + 1), request="large", client="ann"))
    monitor(event(rows(2), request="two", client="ann"))
    for told in (
        {"id": "refused", "label": "no"},
        {"id": "why", "label": "no"},
        {"id": "large", "label": ["no"] * MOST_ROWS},
        {"id": "two", "label": "no"},
    ):
        assert ask(told).status_code == 404, told


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"\xff", b'{"id": 1, "label": "no"}', b'{"id": "a"}',
        b'{"id": "a", "label": "maybe"}', b'{"id": "a", "label": 1}', b'{"id": "a", "label": []}',
        b'{"id": "a", "label": ["no", null]}', b'{"id": "a", "label": "no", "more": 1}', b"[" * 50_000,
    ],
)  # fmt: skip
def test_other_bodies_are_400_and_say_why(ask, body):
    answer = ask(body)
    assert answer.status_code == 400
    assert len(answer.json()["error"]) < 400


def test_too_large_a_body_is_413_and_another_model_404(ask):
    assert ask(b" " * (MOST_BYTES + 1)).status_code == 413
    assert ask({"id": "a", "label": "no"}, path="/v2/models/other/feedback").status_code == 404


@settings(max_examples=50, deadline=None, derandomize=True)
@given(body=st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5), lambda x: st.lists(x, max_size=3) | st.dictionaries(st.sampled_from(["id", "label", "x"]), x, max_size=3), max_leaves=6))  # fmt: skip
def test_no_body_breaks_it(ask, body):
    assert ask(body).status_code in (400, 404)


@pytest.mark.parametrize(
    ("query", "accepts", "wanted"),
    [
        ("zh", "en", "zh"),
        ("en", "zh", "en"),
        ("xx", "zh-CN,zh;q=0.9", "zh"),
        (None, "fr, en;q=0.5", "en"),
        (None, None, "en"),
        (None, "," * 10_000, "en"),
    ],
)
def test_the_language(query, accepts, wanted):
    assert language_of(query, accepts) == wanted


def test_pages_are_private_and_guarded_by_their_headers(monitor):
    client = TestClient(Starlette(routes=routes(monitor)))
    page = client.get("/live")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    for path in ("/live", "/live/state", "/live/evidence.json", "/metrics"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_metrics_are_what_prometheus_reads(monitor):
    from prometheus_client.parser import text_string_to_metric_families

    monitor(event(refusal="queue", status=503))
    told = TestClient(Starlette(routes=routes(monitor))).get("/metrics").text
    families = {f.name: f for f in text_string_to_metric_families(told)}
    counted = {
        s.labels["refusal"]: s.value
        for s in families["fivefold_requests"].samples
        if s.name.endswith("_total") and s.labels["refusal"] == "queue"
    }
    assert counted == {"queue": monitor.totals().refusals["queue"]}
    (count,) = [s.value for s in families["fivefold_request_seconds"].samples if s.name.endswith("_count")]  # fmt: skip
    assert count == monitor.totals().n
