"""The audit log: what is in a row, how the chain shows a change, what happens when the disk refuses."""

import hashlib
import json
import sqlite3
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ledgering import NAMES, event, sql, written

from fivefold.core.errors import BadInput, Damaged, LimitReached
from fivefold.deploy.ledger import Ledger, verify_ledger
from fivefold.deploy.ledger.row import rows_after, waiting


def test_a_row_says_who_asked_what_and_what_was_answered(tmp_path):
    path = tmp_path / "log.sqlite"
    with Ledger(path, "b" * 64, NAMES) as ledger:
        ledger(event(1, client="anna", verb="explain", status=429, refusal="rate", seconds=0.5))
    [row] = sql(path, "SELECT * FROM rows")
    assert row[:13] == (1, 1001.0, "r1", "anna", "explain", 429, "rate", 0.5, 1, '["yes"]', 0.125, "d" * 64, "b" * 64)  # fmt: skip


def test_inputs_and_predicted_numbers_are_never_written(tmp_path):
    path = tmp_path / "log.sqlite"
    with Ledger(path) as ledger:
        ledger(event(1, outputs=torch.tensor([[1234.5]])))
    assert sql(path, "SELECT classes FROM rows") == [(None,)]
    told = b"".join(p.read_bytes() for p in tmp_path.iterdir())
    assert b"77.5" not in told
    assert b"1234.5" not in told


def test_a_log_is_continued_and_keeps_its_mode(tmp_path):
    path = tmp_path / "log.sqlite"
    first = written(path, 3)
    second = written(path, 2, first=3)
    found = verify_ledger(path, first)
    assert (found.rows, found.head, found.after_anchor) == (5, second, 2)
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_empty_log_has_a_head_of_its_own(tmp_path):
    heads = {written(tmp_path / name, 0) for name in ("a", "b")}
    assert len(heads) == 2
    assert verify_ledger(tmp_path / "a").rows == 0


def test_flush_acknowledges_and_closing_writes_the_rest(tmp_path):
    path = tmp_path / "log.sqlite"
    with Ledger(path, classes=NAMES) as ledger:
        ledger(event(0))
        head = ledger.flush()
        assert verify_ledger(path, head).rows == 1  # while it is open
        for i in range(2500):
            ledger(event(i))
    assert verify_ledger(path, head).rows == 2501
    with pytest.raises(LimitReached):
        ledger(event(0))


def test_a_second_writer_is_refused(tmp_path):
    path = tmp_path / "log.sqlite"
    with Ledger(path), pytest.raises(LimitReached, match="Another process"), Ledger(path):
        pass
    with Ledger(path):
        pass


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE rows SET client = 'eve' WHERE seq = 3",
        "UPDATE rows SET seconds = 0.25 WHERE seq = 3",
        "UPDATE rows SET classes = NULL WHERE seq = 3",
        "UPDATE rows SET status = '200x' WHERE seq = 3",
        "UPDATE rows SET request = x'ff00' WHERE seq = 3",
        "UPDATE rows SET hash = previous WHERE seq = 3",
        "DELETE FROM rows WHERE seq = 3",
        "UPDATE rows SET seq = CASE seq WHEN 3 THEN -4 ELSE -3 END WHERE seq IN (3, 4); UPDATE rows SET seq = -seq WHERE seq < 0",
        "UPDATE rows SET seq = -seq WHERE seq > 2; UPDATE rows SET seq = 1 - seq WHERE seq < 0; INSERT INTO rows SELECT 3, time, request, client, verb, status, refusal, seconds, rows, classes, score, digest, bundle, previous, hash FROM rows WHERE seq = 2",
        "DELETE FROM rows WHERE seq = 3; UPDATE rows SET seq = -seq WHERE seq > 3; UPDATE rows SET seq = -1 - seq WHERE seq < 0",
    ],
)  # fmt: skip
def test_every_change_is_found_and_named(tmp_path, change):
    path = tmp_path / "log.sqlite"
    written(path, 6)
    sql(path, *change.split("; "))
    with pytest.raises(Damaged, match=r"[Rr]ow 3 "):
        verify_ledger(path)
    with pytest.raises(Damaged, match=r"[Rr]ow 3 "), Ledger(path):
        pass


def test_rows_cut_off_are_found_with_the_head_alone(tmp_path):
    path = tmp_path / "log.sqlite"
    head = written(path, 6)
    sql(path, "DELETE FROM rows WHERE seq > 4")
    assert verify_ledger(path).rows == 4
    with pytest.raises(Damaged, match="cut off"):
        verify_ledger(path, head)


@pytest.mark.parametrize(
    "change",
    [
        "DROP TABLE rows",
        "CREATE TRIGGER t AFTER INSERT ON rows BEGIN DELETE FROM rows; END",
        "UPDATE about SET name = 'other'",
        "DELETE FROM about",
    ],
)
def test_a_changed_schema_or_name_is_found(tmp_path, change):
    path = tmp_path / "log.sqlite"
    written(path)
    sql(path, change)
    with pytest.raises(Damaged):
        verify_ledger(path)
    with pytest.raises(Damaged), Ledger(path):
        pass


@pytest.mark.parametrize("where", [0, 30, -100, -2000])
def test_a_file_with_other_bytes_is_found(tmp_path, where):
    path = tmp_path / "log.sqlite"
    written(path, 50)
    sql(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    told = bytearray(path.read_bytes())
    told[where : where + 64] = bytes(64) if told[where] else b"\xff" * 64
    path.write_bytes(told)
    with pytest.raises(Damaged):
        verify_ledger(path)


def test_no_log_is_no_damage(tmp_path):
    with pytest.raises(BadInput, match="no audit log"):
        verify_ledger(tmp_path / "none.sqlite")


def test_a_clock_that_goes_back_is_reported(tmp_path):
    path = tmp_path / "log.sqlite"
    with Ledger(path) as ledger:
        for at in (5.0, 6.0, 4.0, float("nan"), 7.0):
            ledger(event(0, time=at))
    found = verify_ledger(path)
    assert (found.n_back, found.back, found.first, found.last) == (1, (3,), 5.0, 7.0)


def until(is_so) -> None:
    """Wait until something is so."""
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_rows_wait_while_the_disk_refuses_and_none_is_lost(tmp_path, monkeypatch):
    path = tmp_path / "log.sqlite"
    with Ledger(path, classes=NAMES) as ledger:
        ledger(event(0))
        ledger.flush()
        with monkeypatch.context() as broken:
            broken.setattr("fivefold.deploy.ledger.ledger.append", _refuses)
            ledger(event(1))
            until(lambda: ledger.is_full)
            with pytest.raises(LimitReached, match="rows that wait: 1"):
                ledger.flush()
        head = ledger.flush() if not ledger.is_full else _later(ledger)
        assert not ledger.is_full
    assert verify_ledger(path, head).rows == 2


def test_a_commit_that_only_seemed_to_fail_is_not_written_twice(tmp_path, monkeypatch):
    from fivefold.deploy.ledger import ledger as module

    append, path = module.append, tmp_path / "log.sqlite"

    def late(connection, rows):
        monkeypatch.setattr(module, "append", append)
        append(connection, rows)
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(module, "append", late)
    with Ledger(path, classes=NAMES) as ledger:
        ledger(event(0))
        ledger(event(1))
        until(lambda: ledger._written == 2)
    assert verify_ledger(path).rows == 2


def _refuses(connection, rows):
    raise sqlite3.OperationalError("database or disk is full")


def _later(ledger: Ledger) -> str:
    until(lambda: not ledger.is_full)
    return ledger.flush()


def test_a_full_queue_is_told_and_never_drops(tmp_path, monkeypatch):
    path = tmp_path / "log.sqlite"
    monkeypatch.setattr("fivefold.deploy.ledger.ledger.append", _refuses)
    ledger = Ledger(path, room=3)
    with pytest.raises(LimitReached, match="rows that wait: 12"), ledger:
        for i in range(12):
            ledger(event(i))
            assert ledger.is_full or i < 2
        with pytest.raises(LimitReached, match="no room"):
            ledger(event(13))


WORDS = st.text(max_size=8)
NUMBERS = st.floats(allow_nan=True, allow_infinity=True)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    rows=st.lists(
        st.tuples(NUMBERS, WORDS, WORDS, st.integers(100, 599), NUMBERS, st.integers(0, 9)),
        max_size=6,
    )
)
def test_the_chain_is_that_of_a_slow_twin(rows):
    """The twin writes the JSON by hand."""
    previous = twin = "0" * 64
    events = [
        event(i, time=at, request=request, client=client, status=status, seconds=seconds, rows=n)
        for i, (at, request, client, status, seconds, n) in enumerate(rows, start=1)
    ]
    made = rows_after(0, previous, [waiting(e) for e in events], NAMES, "b")
    assert len(made) == len(events)
    for i, (e, row) in enumerate(zip(events, made, strict=True), start=1):
        twin = _twin(i, e, twin)
        assert row.hash == twin


def _twin(seq: int, e, previous: str) -> str:
    finite = lambda v: json.dumps(v) if abs(v) < float("inf") else "null"  # noqa: E731
    words = lambda s: json.dumps(s.encode("utf-8", "replace").decode())  # noqa: E731
    predicted = '"[\\"yes\\"]"' if e.outputs[0, 1] > e.outputs[0, 0] else '"[\\"no\\"]"'
    told = (
        f'{{"bundle":"b","classes":{predicted},"client":{words(e.client)},"digest":"{e.digest}",'
        f'"previous":"{previous}","refusal":"","request":{words(e.request)},"rows":{e.rows},'
        f'"score":{finite(float(e.scores[0]))},"seconds":{finite(e.seconds)},"seq":{seq},'
        f'"status":{e.status},"time":{finite(e.time)},"verb":"infer"}}'
    )
    return hashlib.sha256(told.encode()).hexdigest()


def test_rows_of_many_events_at_once_are_those_of_one_after_the_other(tmp_path):
    events = [
        event(0, outputs=np.array([[0.0, 1.0], [2.0, 1.0]]), scores=np.array([0.5, 0.25]), rows=2),
        event(1, outputs=None, scores=None),
        event(2, outputs=np.array([[3.0]])),
        event(3, scores=np.array([np.nan, 1.0])),
        event(4),
    ]
    seen = []
    for name, groups in (("a", [[e] for e in events]), ("b", [events])):
        with Ledger(tmp_path / name, "b" * 64, NAMES) as ledger:
            for group in groups:
                ledger(*group)
        seen.append(sql(tmp_path / name, "SELECT classes, score, rows FROM rows ORDER BY seq"))
    assert seen[0] == seen[1]
    assert seen[1] == [
        ('["yes","no"]', 0.5, 2), (None, None, 1), (None, 0.25, 1), ('["yes"]', None, 1), ('["no"]', 0.5, 1),
    ]  # fmt: skip
