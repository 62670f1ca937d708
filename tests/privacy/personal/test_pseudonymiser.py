"""Replacements are consistent, keyed, and touch nothing else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.errors import BadInput
from fivefold.privacy.personal import Finding, PersonalScreen, Pseudonymiser, find_personal

QUICK = settings(max_examples=20, deadline=None, derandomize=True)
KEY = b"k" * 32
PIECES = st.sampled_from(
    [
        "13812345678",
        "+86 138 1234 5678",
        "a.b@example.com",
        "京A12345",
        "，",
        " and ",
        "11010519491231002X",
    ]
)


def test_one_value_has_one_pseudonym_however_it_is_written():
    hide = Pseudonymiser(key=KEY)
    written = ["13812345678", "138-1234-5678", "+86 138 1234 5678", "１３８１２３４５６７８"]
    assert len({hide(w) for w in written}) == 1
    assert len({hide("11010519491231002X"), hide("110105 19491231 002x")}) == 1
    assert len({hide("a.b@example.com"), hide("ab@example.com"), hide("A.B@example.com")}) == 2
    assert hide("1.11.1.1") != hide("11.1.1.1")
    assert hide("13812345678") != hide("13812345679")


def test_another_key_makes_other_pseudonyms_and_no_key_is_shown():
    hide = Pseudonymiser(key=KEY)
    assert hide("13812345678") != Pseudonymiser(key=b"l" * 32)("13812345678")
    assert "kkkk" not in repr(hide)
    assert "13812345678" not in hide("13812345678")


def test_redaction():
    line = "电话13812345678，邮箱a@b.cn。"
    assert Pseudonymiser()(line) == "电话[mobile number]，邮箱[e-mail address]。"


@QUICK
@given(st.lists(st.one_of(PIECES, st.text(max_size=5))), st.sampled_from([KEY, None]))
def test_everything_outside_findings_is_unchanged(pieces, key):
    line = "".join(pieces)
    left = Pseudonymiser(key=key)(line)
    place = 0
    for finding in find_personal(line):
        before = line[place : finding.start] + f"[{finding.kind}"
        assert left.startswith(before)
        left = left[left.index("]", len(before)) + 1 :]
        place = finding.end
    assert left == line[place:]


@QUICK
@given(st.lists(PIECES, min_size=1), st.sampled_from([KEY, None]))
def test_what_was_replaced_is_not_found_again(pieces, key):
    hide = Pseudonymiser(key=key)
    once = hide(" | ".join(pieces))
    assert find_personal(once) == ()
    assert hide(once) == once


def test_a_stream_is_read_one_by_one():
    read = []

    def lines():
        for number in ("13812345678", "13912345678"):
            read.append(number)
            yield number

    stream = Pseudonymiser(key=KEY).stream(lines())
    assert read == []
    assert next(stream) == Pseudonymiser(key=KEY)("13812345678")
    assert read == ["13812345678"]


def test_short_keys_and_other_things_than_texts_are_refused():
    with pytest.raises(BadInput, match="guessed"):
        Pseudonymiser(key=b"short")
    with pytest.raises(BadInput, match="bytes"):
        Pseudonymiser(key="k" * 32)  # pyright: ignore[reportArgumentType]
    with pytest.raises(BadInput, match="int"):
        list(Pseudonymiser().stream(iter([1])))  # pyright: ignore[reportArgumentType]


def test_a_screen_tells_kinds_and_not_data():
    screen = PersonalScreen()
    assert screen(["a@b.cn 13812345678", "c@d.cn"]) == ["e-mail address", "mobile number"]
    assert screen(["hello", "你好"]) == []
    assert screen([]) == []


def test_a_screen_stands_before_a_server():
    from fivefold.deploy.server import PersonalFilter

    screen: PersonalFilter = PersonalScreen()
    assert screen(["护照E12345678"]) == ["passport"]


def test_findings_cannot_be_changed():
    (found,) = find_personal("a@b.cn")
    with pytest.raises(AttributeError):
        found.kind = "nothing"  # pyright: ignore[reportAttributeAccessIssue]
    assert isinstance(found, Finding)
