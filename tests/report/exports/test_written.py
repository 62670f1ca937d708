"""What is written: JSON that fits its schema, Markdown and HTML that nothing breaks out of."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from fivefold.core.jsonfile import to_json
from fivefold.report.exports import (
    FRAMEWORKS,
    evidence_markdown,
    evidence_page,
    ml_bom,
    sheet,
    tables,
    to_dict,
)
from fivefold.report.exports.sheet import DISCLAIMER

HOME = Path(str(tables.__file__)).parent
SCHEMA = json.loads((HOME / "evidence.schema.json").read_text(encoding="utf-8"))
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """The elements, the words and the handlers of a page."""

    def __init__(self, told: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.handlers: list[str] = []
        self.words: list[str] = []
        self.ids: list[str] = []
        self.feed(told)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.handlers += [n for n, v in attrs if n.startswith("on") or "javascript:" in (v or "")]
        self.ids += [v or "" for n, v in attrs if n == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data.strip())


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", FRAMEWORKS)
def test_the_json_fits_its_schema(name, language, subject, stated, empty, hostile):
    Draft202012Validator.check_schema(SCHEMA)
    for of in (subject, stated, empty, hostile):
        told = to_json(to_dict(sheet(name, of, language)))
        Draft202012Validator(SCHEMA).validate(json.loads(told))


def test_the_schema_refuses_a_row_that_is_measured_by_nothing(empty):
    told = json.loads(to_json(to_dict(sheet("nist", empty, "en"))))
    row = next(r for s in told["sections"] for r in s["rows"] if not r["recorded"])
    row["state"] = "measured"
    assert not Draft202012Validator(SCHEMA).is_valid(told)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", FRAMEWORKS)
def test_the_page_is_whole_and_holds_every_row(name, language, stated):
    answered = sheet(name, stated, language)
    page = Page(evidence_page(answered))
    assert page.open == []
    assert {f"row-{a.id}" for a in answered.answers} <= set(page.ids)
    assert len(set(page.ids)) == len(page.ids)
    for answer in answered.answers:
        assert answer.demand in page.words
    assert DISCLAIMER.words(language) in page.words
    assert "script" not in page.tags


def test_the_counts_stand_before_the_rows(subject):
    answered = sheet("annex-iv", subject, "en")
    told = evidence_markdown(answered)
    line = "| " + " | ".join(str(n) for n in answered.counts.values()) + " |"
    assert told.index(DISCLAIMER.words()) < told.index(line) < told.index("### ")


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_nothing_breaks_out_of_the_page(name, hostile):
    page = Page(evidence_page(sheet(name, hostile, "en")))
    assert page.open == []
    assert page.tags.isdisjoint({"script", "img", "iframe"})
    assert page.handlers == []
    assert any("<script>alert(1)</script>" in w for w in page.words)  # told, not run


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_nothing_breaks_out_of_the_markdown(name, hostile):
    told = evidence_markdown(sheet(name, hostile, "en"))
    assert not re.search(r"<script|<img|(?<!\\)\[a|(?<!\\)\| !", told)
    assert "&lt;script&gt;alert(1)" in told


def test_the_author_is_named_beside_the_words(stated):
    told = evidence_markdown(sheet("annex-iv", stated, "en"))
    assert "words on limits (Ada)" in told
    assert "Ada" in Page(evidence_page(sheet("annex-iv", stated, "en"))).words


def test_the_same_run_gives_the_same_bytes(stated):
    for _ in range(2):
        assert evidence_page(sheet("cn", stated)) == evidence_page(sheet("cn", stated))
        assert to_json(ml_bom(stated)) == to_json(ml_bom(stated))
