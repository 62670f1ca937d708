"""Bars: one for each piece of work, also of work inside work, and none where nobody looks."""

import io
import re
import sys
import time

import pytest
from rich.console import Console

from fivefold.cli import bars
from fivefold.cli.voice import Voice
from fivefold.core import progress


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    made = Screen()
    console = Console(file=made, force_terminal=True, width=120)
    monkeypatch.setattr(Voice, "console", lambda *_, **__: console)
    return made


def nested() -> None:
    with progress.section("plain"):
        for _ in progress.track(range(3), "measuring"):
            for _ in progress.track(range(2), "training"):
                progress.scalar("loss", 1.0, 0)
            for _ in progress.track(iter("ab"), "unheard of [bold]"):
                pass


def test_work_inside_work_has_a_bar_of_its_own(screen):
    with bars.shown(Voice(language="zh")):
        nested()
    told = screen.getvalue()
    assert "plain · 测量" in told


def test_a_piece_of_work_that_fails_takes_its_bar_away(screen):
    def fails() -> None:
        for _ in progress.track(range(3), "training"):
            raise ValueError

    with bars.shown(Voice()):
        with pytest.raises(ValueError):
            fails()
        nested()
    assert screen.getvalue().rpartition("\x1b[?25")[2].startswith("h"), "the cursor is hidden"


@pytest.mark.parametrize("name", ["training", "measuring"])
def test_a_stage_keeps_its_name_in_every_language(screen, name):
    with bars.shown(Voice(language="zh")), progress.section(name):
        for _ in progress.track(range(3), "latency"):
            pass
    assert f"{name} · 延迟" in screen.getvalue()


def test_the_time_that_is_left_is_estimated(screen):
    with bars.shown(Voice()):
        for _ in progress.track(range(4), "training"):
            time.sleep(0.5)  # two refreshes of the screen
    told = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
    assert re.search(r"training .*[23]/4 0:00:0\d 0:00:0\d", told)


def test_nothing_is_heard_with_json(screen):
    with bars.shown(Voice(is_json=True)):
        assert not progress.is_heard()
        nested()
    assert screen.getvalue() == ""


def test_nothing_is_drawn_into_a_pipe(monkeypatch):
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stderr", pipe)
    with bars.shown(Voice()):
        assert not progress.is_heard()
        nested()
    assert pipe.getvalue() == ""
