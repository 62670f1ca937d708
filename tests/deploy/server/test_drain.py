"""The end of a server: nothing that was accepted is lost, and it says that it is ending."""

import http.client
import json
import signal
import socket
import threading
import time

from serving import INFER, Server, question, running, status_of


def asking(server: Server, seen: list[int], lost: list[Exception]) -> None:
    """Ask without end on one connection, until the server closes it after an answer or the door is shut."""
    body = json.dumps(question()).encode()
    link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        link.connect()
        while True:
            link.request("POST", INFER, body)
            answer = link.getresponse()
            answer.read()
            seen.append(answer.status)
            if answer.getheader("connection") == "close":
                return
    except Exception as error:
        lost.append(error)
    finally:
        link.close()


def test_sigterm_under_load_loses_nothing() -> None:
    with running(pause=0.02) as server:
        seen: list[int] = []
        lost: list[Exception] = []
        threads = [threading.Thread(target=asking, args=(server, seen, lost)) for _ in range(16)]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
        ready = server.ask("/v2/health/ready")
        for thread in threads:
            thread.join(20)
        assert server.process.wait(20) == 0
    assert lost == []
    assert set(seen) == {200}
    assert len(seen) > 16
    assert ready.status == 503


def test_what_takes_too_long_is_given_up_and_what_cannot_wait_is_refused() -> None:
    with running(pause=0.6, seconds=0.3, most_waiting=2, batch=1) as server:
        found: list[tuple[int, str]] = []

        def ask() -> None:
            answer = server.ask(body=question())
            found.append((answer.status, answer.told["reason"]))

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert sorted(set(found)) == [(503, "queue"), (504, "time")]


def test_when_the_queue_is_full_a_body_is_not_even_awaited() -> None:
    """The head alone is sent; the answer comes all the same, long before a body would be given up."""
    with running(pause=1.0, most_waiting=1, wait_seconds=100.0, batch=1) as server:
        threads = [threading.Thread(target=server.ask, kwargs={"body": question()}) for _ in "ab"]
        for thread in threads:
            thread.start()
        time.sleep(0.4)
        head = f"POST {INFER} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n"
        with socket.create_connection(("127.0.0.1", server.port), timeout=0.5) as link:
            link.sendall(head.encode())
            told = link.recv(65536)
        for thread in threads:
            thread.join(20)
    assert status_of(told) == 503
    assert b'"queue"' in told
