"""The file of statements: what it may hold, what is refused and where."""

import tomllib

import pytest

from fivefold.core.errors import BadInput
from fivefold.core.text import chinese
from fivefold.report.exports import empty_statements, found_statements, read_statements, sheet
from fivefold.report.exports.statements import INTRODUCTION, MOST_LETTERS, Statement
from fivefold.report.exports.tables import questions


def read(tmp_path, told: str):
    path = tmp_path / "statements.toml"
    path.write_text(told, encoding="utf-8")
    return read_statements(path)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_empty_file_states_nothing_and_asks_everything(tmp_path, language):
    told = empty_statements("mine/statements.toml", language)
    assert read(tmp_path, told).answers == {}
    for key, question in questions().items():
        assert f'# {question.words(language)}\n# {key} = ""' in told
    assert "mine/statements.toml" in told


def test_every_line_of_the_empty_file_can_be_taken_in(all_stated):
    assert set(tomllib.loads(all_stated.read_text())) == {"by", *questions()}
    assert set(read_statements(all_stated).answers) == set(questions())


def test_the_introduction_is_there_in_chinese():
    assert set(INTRODUCTION) <= chinese().keys()


def test_an_author_and_a_date_hold_for_all_or_for_one(tmp_path):
    told = 'by = "Ada"\nwhen = 2026-01-02\nlimits = " a "\nusers = { words = "b", by = "Bo" }\n'
    answers = read(tmp_path, told).answers
    assert answers["limits"] == Statement(words="a", by="Ada", when="2026-01-02")
    assert answers["users"] == Statement(words="b", by="Bo", when="2026-01-02")


def test_an_empty_answer_is_none(tmp_path, subject):
    statements = read(tmp_path, 'limits = "  "\nusers = { by = "Bo" }\n')
    assert statements.answers == {}
    rows = sheet("annex-iv", subject._replace(statements=statements), "en").answers
    assert all(a.state != "stated" for a in rows)


BAD = {
    "an unknown question": ('x = 1\nlimitz = "a"', "limits", ":1"),
    "a misspelt question": ('\nlimitz = "a"', "Did you mean limits", ":2"),
    "a number": ("limits = 3", "3 is not a text", ":1"),
    "a list": ('limits = ["a"]', "is not a text", ":1"),
    "an unknown part": ('limits = { text = "a" }', "Nobody asks for limits.text", ":1"),
    "a part that is no text": ("limits = { words = true }", "True is not a text", ":1"),
    "an author that is no text": ("by = 1", "1 is not a text", ":1"),
    "a table of everything": ('[statements]\nlimits = "a"', "Nobody asks for statements", ":1"),
    "no TOML": ("limits = a b", "This is not TOML", ":1"),
    "a novel": (f'limits = "{"a" * (MOST_LETTERS + 1)}"', "at most 20000", ":1"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_wrong_is_said_with_its_place(tmp_path, what):
    told, wanted, line = BAD[what]
    with pytest.raises(BadInput) as error:
        read(tmp_path, told)
    assert wanted in str(error.value)
    assert f"statements.toml{line}" in str(error.value)


def test_a_file_that_is_not_there_is_refused_only_if_it_was_named(tmp_path):
    assert found_statements(tmp_path).answers == {}
    with pytest.raises(BadInput, match="no file with statements"):
        found_statements(tmp_path, tmp_path / "none.toml")


def test_the_run_folder_may_hold_them_and_a_named_file_goes_first(tmp_path, all_stated):
    (tmp_path / "statements.toml").write_text('limits = "mine"\n')
    assert found_statements(tmp_path).answers["limits"].words == "mine"
    assert found_statements(tmp_path, all_stated).answers["limits"].words == "words on limits"
