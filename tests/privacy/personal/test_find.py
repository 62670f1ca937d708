"""What is found in lines of Chinese and English, and what is left alone."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.errors import BadInput
from fivefold.privacy.personal import FINDERS, RULES, Finder, find_personal
from fivefold.privacy.personal.plain import plain

QUICK = settings(max_examples=20, deadline=None, derandomize=True)
DIGITS = str.maketrans("0123456789", "０１２３４５６７８９")
PERSONAL = [
    ("电话13812345678，谢谢", "mobile number", "13812345678"),
    ("tel13812345678", "mobile number", "13812345678"),
    ("call +86 138-1234-5678.", "mobile number", "+86 138-1234-5678"),
    ("手机：１３８　１２３４　５６７８", "mobile number", "１３８　１２３４　５６７８"),
    ("姓名,13812345678,18", "mobile number", "13812345678"),
    ("id_13812345678_a.jpg", "mobile number", "13812345678"),
    ("138.1234.5678", "mobile number", "138.1234.5678"),
    ("ID11010519491231002X", "resident ID card", "11010519491231002X"),
    ("card4111111111111111a", "bank card", "4111111111111111"),
    ("护照号是 E 1234 5678", "passport", "E 1234 5678"),
    ("Passport Number: L898902C3", "passport", "L898902C3"),
    ("O'brien@example.com", "e-mail address", "O'brien@example.com"),
    ("13812345678万先生", "mobile number", "13812345678"),
    ("138\u200b1234\u200b5678", "mobile number", "138\u200b1234\u200b5678"),
    ("身份证号 11010519491231002X", "resident ID card", "11010519491231002X"),
    ("身份证号 110105 19491231 002x", "resident ID card", "110105 19491231 002x"),
    ("ID 11010519491231002Ｘ。", "resident ID card", "11010519491231002Ｘ"),
    ("护照号码：E12345678", "passport", "E12345678"),
    ("my passport no. is 512345678 ok", "passport", "512345678"),
    ("车牌京A12345停在门口", "vehicle plate", "京A12345"),
    ("车牌京a·1234b", "vehicle plate", "京a·1234b"),
    ("新能源粤B·D12345", "vehicle plate", "粤B·D12345"),
    ("货车沪A12345D", "vehicle plate", "沪A12345D"),
    ("教练车苏E1234学", "vehicle plate", "苏E1234学"),
    ("邮箱zhang.san@example.com.cn，", "e-mail address", "zhang.san@example.com.cn"),
    ("ｌｉ＠ｅｘａｍｐｌｅ．ｃｏｍ", "e-mail address", "ｌｉ＠ｅｘａｍｐｌｅ．ｃｏｍ"),
    ("13812345678@qq.com", "e-mail address", "13812345678@qq.com"),
    ("from 203.0.113.7:8080", "IP address", "203.0.113.7"),
    ("SSN 536-22-8714", "US social security number", "536-22-8714"),
    ("ssn: 536228714", "US social security number", "536228714"),
    ("ring +44 20 7946 0958 now", "phone number", "+44 20 7946 0958"),
    ("ring (415) 555-0132", "phone number", "(415) 555-0132"),
    ("座机010-62345678", "phone number", "010-62345678"),
]
ORDINARY = [
    "订单号：13812345678",
    "订单号为13812345678",
    "order no. 13812345678",
    "NO13812345678",
    "订单20231231123456789012",
    "ISBN 978-7-111-12345-4 and ISBN 9787111123454",
    "¥13812345678，13912345678元，13812345678.50",
    "at 1700000000, 1700000000123, 2024-01-31 12:34:56, 20240131123456",
    "sha a13812345678b",
    "version 1.2.3.4, v10.0.0.1, 127.0.0.1, 1.2.3.4.5, 300.1.1.1",
    "000-12-3456, 666-12-3456, 900-12-3456, 123-00-4567, 123-45-0000",
    "E12345678",
    "云ABCDEF",
    "a@b, @someone, me@localhost",
    "12345678901 15412345678",
    "3.14159265358979, 1/3, 50%",
    "",
]


@pytest.mark.parametrize(("line", "kind", "value"), PERSONAL)
def test_found(line, kind, value):
    assert [(f.kind, f.text) for f in find_personal(line)] == [(kind, value)]


@pytest.mark.parametrize("line", ORDINARY)
def test_left_alone(line):
    assert find_personal(line) == ()


def test_a_mixed_line():
    line = "请联系 Mr Li 13812345678 or li@example.com，车牌京A12345，IP 203.0.113.7"
    found = find_personal(line)
    assert [(f.kind, f.confidence) for f in found] == [
        ("mobile number", "pattern"),
        ("e-mail address", "pattern"),
        ("vehicle plate", "pattern"),
        ("IP address", "pattern"),
    ]
    assert find_personal("护照E12345678")[0].confidence == "context"
    assert find_personal("11010519491231002X")[0].confidence == "checked"


@pytest.mark.parametrize("gap", [",", "/", "-", ";", "、", "\n", "\t"])
def test_two_numbers_in_a_row(gap):
    found = find_personal(f"13812345678{gap}13912345678")
    assert [f.text for f in found] == ["13812345678", "13912345678"]


def test_findings_that_overlap_become_one_and_leave_nothing_over():
    (found,) = find_personal("11010519491231002X@example.com")
    assert found.text == "11010519491231002X@example.com"
    assert found.kind == "e-mail address"


@QUICK
@given(st.lists(st.sampled_from([*(p[0] for p in PERSONAL), *ORDINARY]), max_size=6), st.text())
def test_places_are_those_of_the_text_and_in_order(lines, noise):
    whole = "\n".join([*lines, noise])
    end = 0
    for found in find_personal(whole):
        assert found.start >= end
        assert whole[found.start : found.end] == found.text
        end = found.end


@QUICK
@given(st.text())
def test_plain_text_keeps_every_place(noise):
    assert len(plain(noise)) == len(noise)
    assert plain(plain(noise)) == plain(noise)


@pytest.mark.parametrize(("line", "kind", "value"), PERSONAL)
def test_full_width_digits_change_nothing(line, kind, value):
    found = find_personal(line.translate(DIGITS))
    assert [(f.kind, f.text) for f in found] == [(kind, value.translate(DIGITS))]


@pytest.mark.parametrize(
    "piece",
    [
        "1",
        "a",
        "a@",
        "a.",
        "1.",
        "4 ",
        "6-",
        "GB82 ",
        "+1 ",
        "(",
        "京A",
        "护照 ",
        "A1",
        "1@a.",
        "-",
        "中",
        "SSN ",
    ],
)
def test_long_hostile_lines_end(piece):
    for finding in find_personal(piece * 30_000):
        assert finding.end > finding.start


@pytest.mark.parametrize("wrong", [None, 13812345678, b"13812345678", ["13812345678"]])
def test_only_texts(wrong):
    with pytest.raises(BadInput, match="texts"):
        find_personal(wrong)


def test_every_kind_has_a_chinese_name():
    from fivefold.core.text import chinese

    assert {f.kind for f in FINDERS + RULES} <= chinese().keys()


def test_a_long_finding_takes_in_every_short_one_inside_it():
    finders = [
        Finder(kind=kind, pattern=re.compile(pattern))
        for kind, pattern in [("b", "bb"), ("all", "abbcdde"), ("d", "dd"), ("tail", "ef")]
    ]
    assert [(f.kind, f.text) for f in find_personal("_abbcddef_", finders)] == [("all", "abbcddef")]
    assert [f.kind for f in find_personal("bbdd", finders)] == ["b", "d"]
