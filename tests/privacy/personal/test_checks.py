"""Check digits against slow twins, and numbers with one wrong digit."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.privacy.personal import find_personal
from fivefold.privacy.personal.bank_card import passes_luhn
from fivefold.privacy.personal.credit_code import LETTERS
from fivefold.privacy.personal.credit_code import check_character as check_of_code
from fivefold.privacy.personal.iban import is_iban
from fivefold.privacy.personal.resident_id import check_character, is_resident_id

QUICK = settings(max_examples=20, deadline=None, derandomize=True)
NUMBER = st.integers(0, 999)


def kinds(text):
    return [f.kind for f in find_personal(text)]


def resident_id(day, number, region="110101"):
    first = f"{region}{date(1930, 1, 1) + timedelta(days=day):%Y%m%d}{number:03d}"
    return first + check_character(first)


def slow_iso_7064(number):
    """A number is right if its digits, weighted by powers of 2 from the right, leave 1 modulo 11."""
    values = [10 if c == "X" else int(c) for c in number]
    return sum(v * 2**i for i, v in enumerate(reversed(values))) % 11 == 1


def slow_luhn(digits):
    total = 0
    for i, d in enumerate(reversed(digits)):
        total += sum(int(c) for c in str(int(d) * 2)) if i % 2 else int(d)
    return total % 10 == 0


def slow_mod_97(account):
    number = ""
    for c in account[4:] + account[:4]:
        number += c if c.isdigit() else str(ord(c) - 55)
    left = 0
    for digit in number:
        left = (left * 10 + int(digit)) % 97
    return left == 1


@QUICK
@given(st.integers(0, 30_000), NUMBER)
def test_check_character_of_a_resident_id_is_iso_7064(day, number):
    made = resident_id(day, number)
    assert slow_iso_7064(made)
    assert find_personal(f"身份证{made}。")[0].text == made


@QUICK
@given(st.integers(0, 30_000), NUMBER, st.integers(0, 16), st.integers(1, 9))
def test_a_resident_id_with_one_wrong_digit_is_none(day, number, place, add):
    made = resident_id(day, number)
    wrong = made[:place] + str((int(made[place]) + add) % 10) + made[place + 1 :]
    assert not is_resident_id(wrong)
    assert "resident ID card" not in kinds(wrong)


@pytest.mark.parametrize("first", ["11010119900230001", "11010118000101001", "99010119900101001"])
def test_a_right_check_digit_is_not_enough(first):
    assert not is_resident_id(first + check_character(first))


@QUICK
@given(st.text("0123456789", min_size=2, max_size=19))
def test_luhn_is_the_slow_one(digits):
    assert passes_luhn(digits) == slow_luhn(digits)


@QUICK
@given(st.text("0123456789", min_size=15, max_size=15))
def test_one_of_ten_cards_is_right(digits):
    right = [
        f"622{digits}{c}" for c in "0123456789" if kinds(f"卡号 622{digits}{c}") == ["bank card"]
    ]
    assert [r for r in right if slow_luhn(r)] == right
    assert len(right) == 1


@pytest.mark.parametrize(
    ("card", "is_one"),
    [
        ("4111 1111 1111 1111", True),
        ("4111-1111-1111-1112", False),
        ("3782 822463 10005", True),
        ("5555555555554444", True),
        ("2223003122003222", True),
        ("1234567812345670", False),  # Luhn agrees, but nobody issues it
    ],
)
def test_cards(card, is_one):
    assert kinds(f"pay with {card} please") == (["bank card"] if is_one else [])


def test_a_number_behind_a_card_is_not_part_of_it():
    assert [f.text for f in find_personal("4111 1111 1111 1111 2024")] == ["4111 1111 1111 1111"]
    assert [f.text for f in find_personal("2024 4111 1111 1111 1111")] == ["4111 1111 1111 1111"]


@pytest.mark.parametrize("code", ["91110000600037341L", "914403001922038216", "91440300708461136T"])
def test_credit_codes_of_well_known_firms(code):
    assert kinds(f"代码：{code}") == ["unified social credit code"]
    assert kinds(f"代码：{code.lower()}") == ["unified social credit code"]


@QUICK
@given(st.text(LETTERS, min_size=9, max_size=9), st.sampled_from(LETTERS))
def test_a_credit_code_has_one_check_character(body, last):
    weights = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28]
    first = f"91110000{body}"
    total = sum(LETTERS.index(c) * w for c, w in zip(first, weights, strict=True))
    right = LETTERS[(31 - total % 31) % 31]
    assert check_of_code(first) == right
    assert ("unified social credit code" in kinds(f"代码{first}{last}")) == (last == right)


@pytest.mark.parametrize(
    "account",
    ["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "FR1420041010050500013M02606"],
)
def test_accounts(account):
    whole = account.replace(" ", "")
    assert is_iban(whole) and slow_mod_97(whole)
    assert [f.text for f in find_personal(f"to {account} today")] == [account]
    assert kinds(f"to {account[:-1]}{(int(account[-1]) + 1) % 10} today") == []
    assert kinds(f"to {account}7 today") == []


def test_a_credit_code_belongs_to_a_region():
    first = "91990000600037341"
    assert kinds(f"代码：{first}{check_of_code(first)}") == []
