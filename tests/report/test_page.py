"""The page as a file: small, closed to the world, complete in both languages, hostile words kept as words."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from fivefold.core.evidence import Axis, Missing
from fivefold.core.text import Text, chinese, text
from fivefold.report import matrix, page
from fivefold.report.templating import FOLDER, script_hash
from report.made_up import NAMES

HOSTILE = "</script><img src=x onerror=alert(1)>"
MOST_BYTES = 2_500_000


class Reader(HTMLParser):
    """Notes every element, its attributes, and the content of scripts."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside != "style":
            self.words.append(data.strip())


@pytest.fixture(scope="module")
def hostile_page(run) -> str:
    last = replace(run.stages[-1], name=HOSTILE, findings=(
        *run.stages[-1].findings,
        Missing(axis=Axis.PRIVACY, name=HOSTILE, reason=text("{problem}", problem=HOSTILE)),
    ))  # fmt: skip
    odd = replace(
        run, name=HOSTILE, stages=(*run.stages[:-1], last), environment={HOSTILE: HOSTILE}
    )
    return page(
        replace(
            odd,
            data=replace(odd.data, name=HOSTILE, notes=(Text(HOSTILE),)),
            recipe={HOSTILE: HOSTILE},
        )
    )


@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_fits_its_budget_and_shows_every_stage_and_number(pages, run, language):
    html = pages[language]
    assert len(html.encode()) < MOST_BYTES
    read = Reader(html)
    assert set(NAMES) <= set(read.words)
    cells = sum(
        1 for tag, attributes in read.elements if tag == "span" and attributes.get("class") == "v"
    )
    assert cells == sum(len(r.measured) for r in matrix(run).rows)


def test_no_element_points_outside(pages):
    for html in pages.values():
        for tag, attributes in Reader(html).elements:
            for name in ("src", "href", "srcset", "action", "data", "poster", "background"):
                assert (attributes.get(name) or "#").startswith("#"), tag


def test_the_policy_lets_only_our_scripts_run(pages):
    read = Reader(pages["en"])
    (policy,) = [
        a["content"] or "" for t, a in read.elements if t == "meta" and a.get("http-equiv")
    ]
    assert policy.startswith("default-src 'none'")
    assert "unsafe-eval" not in policy
    assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
    run_here = read.scripts[1:]
    assert len(run_here) == 2
    assert all(script_hash(s) in policy for s in run_here)


def test_hostile_words_stay_words(hostile_page):
    read = Reader(hostile_page)
    assert [t for t, _ in read.elements if t == "img"] == []
    assert len(read.scripts) == 3
    assert not any(name.startswith("on") for _, attributes in read.elements for name in attributes)
    assert HOSTILE in read.words
    assert json.loads(read.scripts[0])["pictures"]


def test_every_reason_is_told(pages):
    assert (
        "AttributionDrift needs gradients, and a QuantizedModel has none."
        in Reader(pages["en"]).words
    )


def test_an_axis_without_numbers_is_named_as_not_measured(run):
    bare = tuple(
        replace(s, findings=tuple(f for f in s.findings if f.axis != Axis.SECURITY))
        for s in run.stages[:2]
    )
    told = Reader(page(replace(run, stages=bare)))
    assert "No probe in the recipe gave any number of this promise." in told.words


def test_a_growing_run_has_a_page(run):
    told = page(replace(run, stages=run.stages[:1], created=""))
    assert "<table" in told
    assert "no certain change" not in told  # there is nothing to have changed from


def spoken_in_templates() -> set[str]:
    told = "".join(p.read_text(encoding="utf-8") for p in FOLDER.glob("*.jinja"))
    return {a or b for a, b in re.findall(r"""_\(\s*(?:'([^']*)'|"([^"]*)")""", told)}


def test_every_word_of_the_templates_has_its_chinese():
    assert len(spoken_in_templates()) > 60
    assert sorted(spoken_in_templates() - chinese().keys()) == []


def test_every_word_of_the_templates_stands_on_the_chinese_page(pages):
    words = set(Reader(pages["zh"]).words)
    assert {"权衡矩阵", "策略检查", "未测量", "数据与沿袭", "如何阅读", "未放行"} <= words
    assert not {"Trade-off matrix", "Not measured", "Findings", "Recipe", "Value", "Stage"} & words
