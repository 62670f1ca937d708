"""One question to the model and its answer, on one connection of uvicorn.

It hears of the body straight from the protocol and writes its answer in one piece, so that a request
costs neither a task nor a wake-up. Connections, heads, pipelines and the end of the server stay with uvicorn.
"""

import logging
import time
from typing import Any

from fivefold.core.text import text
from fivefold.deploy.server.body import check_size
from fivefold.deploy.server.call import Call, Verb, headers_of
from fivefold.deploy.server.desk import Desk
from fivefold.deploy.server.refused import Refused
from fivefold.deploy.server.reply import packed

log = logging.getLogger(__name__)
SLOW = text("The body came too slowly.")


class Exchange:
    """Takes the place of the event by which uvicorn would wake a task.

    Args:
        desk: Knows the way to the model, and how answers are worded.
        cycle: What uvicorn knows of the request and its answer.
        verb: What is asked for.
    """

    __slots__ = ("call", "cycle", "desk", "way")

    def __init__(self, desk: Desk, cycle: Any, verb: Verb) -> None:
        self.desk = desk
        self.way = desk.ways[verb]
        self.cycle = cycle
        scope = cycle.scope
        self.call = Call(scope, headers_of(scope), verb, time.perf_counter())

    def begin(self) -> None:
        """Ask the guards of the head, and await the body."""
        cycle = self.cycle
        cycle.message_event = self
        try:
            for guard in self.way.head:
                guard(self.call)
        except Exception as error:
            self._fail(error)
            return
        if cycle.waiting_for_100_continue:
            cycle.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            cycle.waiting_for_100_continue = False
        if not cycle.more_body:
            self.set()

    def set(self) -> None:
        """Hear that there is more of the body, or its end, or that the caller has hung up."""
        cycle, call = self.cycle, self.call
        if cycle.response_complete or call.is_read:
            call.is_gone = call.is_gone or cycle.disconnected
            return
        if cycle.disconnected:
            call.is_gone = True
            return
        try:
            check_size(len(cycle.body), self.desk.settings.most_bytes)
            if cycle.more_body:
                cycle.flow.resume_reading()
                return
            call.body, call.is_read = bytes(cycle.body), True
            for guard in self.way.body:
                guard(call)
            self.way.core(call, self._answered)
        except Exception as error:
            self._fail(error)

    def give_up(self) -> None:
        """Hear that the body takes too long."""
        if self.cycle.response_complete:  # it was refused, and the rest of its body never came
            self.cycle.transport.close()
        elif not self.call.is_read:
            self._fail(Refused(408, "time", SLOW))

    def _answered(self, error: Exception | None) -> None:
        try:
            if error is not None:
                raise error
            for guard in self.way.answer:
                guard(self.call)
            body, headers, kind = self.desk.worded(self.call)
        except Exception as problem:
            self._fail(problem)
        else:
            self._write(200, body, headers, kind, close=False)
            self.desk.post.put(self.call, 200, "")

    def _fail(self, error: Exception) -> None:
        if not isinstance(error, Refused):  # the caller learns nothing of our insides
            log.error("a request failed", exc_info=error)
            error = Refused(500, "fault", text("The model failed."))
        body, headers, kind = self.desk.refusal(self.call, error)
        self._write(error.status, body, headers, kind, close=not self._may_go_on(error))
        self.desk.post.put(self.call, error.status, error.refusal)

    def _may_go_on(self, refused: Refused) -> bool:
        """Return whether the rest of the body can be skipped, so that the connection lives on."""
        is_short = refused.status in (429, 503) and b"content-length" in self.call.headers
        return self.call.is_read or (is_short and not self.cycle.waiting_for_100_continue)

    def _write(self, status: int, body: bytes, headers: Any, kind: bytes, *, close: bool) -> None:
        cycle = self.cycle
        if cycle.disconnected or cycle.response_complete:
            return
        if close or not self.desk.is_ready():
            cycle.keep_alive = False
        cycle.transport.write(packed(status, body, headers, kind, close=not cycle.keep_alive))
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()
