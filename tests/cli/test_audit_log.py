"""`fivefold verify --audit-log`."""

import json
import sqlite3
from contextlib import closing

import pytest

from fivefold.deploy.event import Event
from fivefold.deploy.ledger import Ledger


@pytest.fixture
def log(tmp_path):
    """Return a log and its head."""
    path = tmp_path / "audit.sqlite"
    with Ledger(path) as ledger:
        for at in (5.0, 7.0, 6.0):
            ledger(Event(time=at, request="r"))
        return path, ledger.flush()


def test_an_intact_log(ask, log):
    path, head = log
    said = ask("verify", "--audit-log", path, "--head", head)
    assert said.code == 0
    assert head in said.out
    assert "rows after it: 0" in said.err
    assert "first is row 3" in said.err


def test_without_an_anchor_it_says_what_it_cannot_show(ask, log):
    said = ask("verify", "--audit-log", log[0], "--json", "--lang", "zh")
    assert said.code == 0
    assert json.loads(said.out)["rows"] == 3
    assert "--head" in said.err
    assert "无人能判断" in said.err


def test_the_first_bad_row_is_named(ask, log):
    path, head = log
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE rows SET status = 500 WHERE seq = 2")
    said = ask("verify", "--audit-log", path, "--head", head)
    assert said.code == 5
    assert "Row 2" in said.err
    assert not said.out


def test_a_wrong_head_and_nothing_to_verify(ask, log):
    assert ask("verify", "--audit-log", log[0], "--head", "0" * 64).code == 5
    assert ask("verify").code == 3
    assert ask("verify", "--audit-log", log[0].with_name("none")).code == 3
