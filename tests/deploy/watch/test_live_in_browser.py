"""The live page in a real browser on a real server: both languages, both colour schemes, hostile names."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from report.test_page_in_browser import CONTRAST

pytestmark = pytest.mark.browser
SCRIPT = Path(__file__).parents[1] / "start_watch.py"
SHOWN = "() => document.querySelector('#status').dataset.at === 'live' && document.querySelectorAll('#drift .name').length >= 3"


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT)],
        stdout=subprocess.PIPE,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}", process
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


@pytest.fixture
def look(browser: Any, server: tuple[str, Any]) -> Iterator[Any]:
    """Return a function that opens a page; when the test is over, each must have kept to itself."""
    opened = list[Watched]()

    def asked(kind: str = "plain", language: str = "en", **context: Any) -> Watched:
        opened.append(Watched(browser, f"{server[0]}/{kind}", language, **context))
        return opened[-1]

    yield asked
    for one in opened:
        one.close()


class Watched:
    """A page, everything it asked for and everything it complained about."""

    def __init__(self, browser: Any, url: str, language: str = "en", **context: Any) -> None:
        context.setdefault("viewport", {"width": 1400, "height": 900})
        self.context = browser.new_context(**context)
        self.page = self.context.new_page()
        self.foreign: list[str] = []
        self.complaints: list[str] = []
        self.page.on(
            "request", lambda r: r.url.startswith((url, "data:")) or self.foreign.append(r.url)
        )
        self.page.on("console", lambda m: m.type in ("error", "warning") and self.complaints.append(m.text))  # fmt: skip
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))
        self.page.on("dialog", lambda d: (self.complaints.append(d.message), d.dismiss()))
        self.page.goto(f"{url}/live?lang={language}")
        self.page.wait_for_function(SHOWN)

    def number(self, query: str) -> int:
        return int(self.page.locator(query).first.inner_text().replace(",", ""))

    def close(self) -> None:
        assert self.foreign == []
        assert self.complaints == []
        self.context.close()


@pytest.mark.parametrize(
    ("language", "scheme"),
    [
        ("en", "light"),
        ("zh", "dark"),
        pytest.param("en", "dark", marks=pytest.mark.slow),
        pytest.param("zh", "light", marks=pytest.mark.slow),
    ],
)
def test_numbers_change_and_words_can_be_read(look, language, scheme):
    seen = look(language=language, color_scheme=scheme)
    page = seen.page
    before = seen.number("[data-told=requests]")
    page.wait_for_function(
        "n => Number(document.querySelector('[data-told=requests]').textContent.replace(',', '')) > n",
        arg=before,
    )
    assert page.evaluate(CONTRAST) == []
    assert page.locator("html").get_attribute("lang") == ("zh-CN" if language == "zh" else "en")
    words = page.locator("body").inner_text()
    assert ("实时监测" in words) == (language == "zh")
    assert "drifted" in words if language == "en" else "已漂移" in words
    rows = page.locator("#evidence tbody tr")
    assert rows.count() >= 15
    assert page.locator("#tile-drifted.alert").count() == 1
    for name in ("requests", "latency", "alarms"):
        line = page.locator(f"#{name} svg path").first  # it takes two moments to draw a line
        line.wait_for(state="attached")


def test_no_word_of_the_other_language_is_left(look):
    seen = look(language="zh")
    words = seen.page.locator("main").inner_text()
    known = {"toy", "dose", "kind", "age", "yes", "no", "UTC", "n", "p", "ms", "s", "Holm", "Garwood", "Jensen", "Shannon", "Clopper", "Pearson", "inf"}  # fmt: skip
    left = set(re.findall(r"[A-Za-z]{2,}", words)) - known
    assert left == set()


def test_the_stream_breaks_and_comes_back(look, server):
    seen = look()
    server[1].send_signal(signal.SIGUSR1)
    at = "at => document.querySelector('#status').dataset.at === at"
    seen.page.wait_for_function(at, arg="wait")
    before = seen.number("[data-told=requests]")
    seen.page.wait_for_function(at, arg="live")
    assert seen.number("[data-told=requests]") > before
    seen.complaints.clear()  # the browser itself may say that a stream was cut


def test_the_keyboard_reaches_everything_and_shows_where_it_is(look):
    seen = look()
    reached = list[str]()
    for _ in range(14):
        seen.page.keyboard.press("Tab")
        told = seen.page.evaluate(
            "() => { const e = document.activeElement, s = getComputedStyle(e); return [e.tagName + (e.className && '.' + e.className), s.outlineStyle, parseFloat(s.outlineWidth)]; }"
        )
        if told[0] == "BODY":
            break
        assert told[1:] == ["solid", 3], told
        reached.append(told[0])
    assert reached[:3] == ["A.skip", "A", "A"]
    assert reached.count("SUMMARY") == 6
    assert reached[-1] == "DIV.scroll"
    seen.page.locator("summary").first.focus()
    seen.page.keyboard.press("Enter")
    seen.page.locator("#requests table tbody tr").nth(5).wait_for()


def test_narrow_screens_scroll_in_one_direction_and_cut_no_name(look):
    seen = look("long", viewport={"width": 420, "height": 900})
    page = seen.page
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(
        "(() => { const e = document.querySelector('#evidence .scroll'); return e.scrollWidth <= e.clientWidth; })()"
    )
    names = page.locator("#drift text.name, #drift text.hot").evaluate_all(
        "all => all.map(t => [...t.querySelectorAll('tspan')].map(s => s.textContent).join(''))"
    )
    assert {n[-2:] for n in names if n.startswith("the_concentration")} == {"_0", "_1", "_2"}
    assert not any("…" in n for n in names)
    assert clipped(page) == []


def test_no_name_is_clipped_on_wide_screens(look):
    seen = look()
    assert "malformed" in seen.page.locator("#refusals svg").text_content()
    assert clipped(seen.page) == []


def clipped(page: Any) -> list[str]:
    """Return the words in drawings that stick out of them."""
    return page.evaluate(
        """() => [...document.querySelectorAll('.drawing svg')].flatMap((svg) => {
          const room = svg.getBoundingClientRect();
          return [...svg.querySelectorAll('text')].filter((t) => {
            const box = t.getBoundingClientRect();
            return box.left < room.left - 0.5 || box.right > room.right + 0.5 || box.bottom > room.bottom + 2;
          }).map((t) => t.textContent);
        })"""
    )


def test_hostile_names_are_words_and_nothing_else(look):
    seen = look("hostile")
    page = seen.page
    assert page.locator("h1").inner_text().startswith("<img src=x onerror=alert(1)>")
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 2
    page.wait_for_timeout(1200)
    assert "onerror" in page.locator("#evidence").inner_text()


def test_a_number_has_an_error_instead_of_an_accuracy(look):
    seen = look("regression")
    assert "live absolute error" in seen.page.locator("#tile-right").inner_text().lower()
    assert "%" not in seen.page.locator("#tile-right .value").inner_text()
