"""Shares, keys, masks, the grid and the bytes of messages, each against a plain twin."""

from hashlib import sha256
from hmac import digest
from itertools import combinations

import numpy as np
import pytest
import torch
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fivefold.core.errors import BadInput, BadRecipe, Damaged
from fivefold.privacy.secure_aggregation import (
    Delivery,
    FixedPoint,
    Keys,
    Masked,
    Reveal,
    Roster,
    SecureAggregation,
    Shares,
    Survivors,
    from_bytes,
    to_bytes,
)
from fivefold.privacy.secure_aggregation.keys import Party, agreed, derived, fresh_pair
from fivefold.privacy.secure_aggregation.mask import PIECE, add_mask, dtype_of
from fivefold.privacy.secure_aggregation.shamir import PRIME, joined, split

SECRETS = st.one_of(st.binary(min_size=32, max_size=32), st.just(b"\xff" * 32), st.just(bytes(32)))


@settings(max_examples=20, deadline=None, derandomize=True)
@given(secret=SECRETS, n=st.integers(1, 6), data=st.data())
def test_any_enough_shares_give_the_secret_back(secret, n, data):
    least = data.draw(st.integers(1, n))
    shares = dict(enumerate(split(secret, n, least), 1))
    for places in combinations(shares, least):
        assert joined({p: shares[p] for p in places}) == secret


def test_the_field_is_prime():
    assert all(pow(a, PRIME - 1, PRIME) == 1 for a in (2, 3, 5, 7, 11, 13, 17))
    assert 2**256 < PRIME < 2**264


def test_too_few_shares_fit_every_secret():
    """For any other secret there is a polynomial through the shares that are known."""
    shares = [int.from_bytes(s, "big") for s in split(b"a" * 32, 3, 3)[:2]]
    for claimed in (0, 1, 2**200 + 5):
        slope = [(s - claimed) * pow(i, -1, PRIME) % PRIME for i, s in enumerate(shares, 1)]
        square = (slope[1] - slope[0]) % PRIME
        line = (slope[0] - square) % PRIME
        for i, s in enumerate(shares, 1):
            assert (claimed + line * i + square * i * i) % PRIME == s


def test_one_share_of_a_secret_is_uniform():
    top = [split(bytes(32), 3, 2)[1][1] for _ in range(4000)]
    assert stats.chisquare(np.bincount(np.array(top) >> 4, minlength=16)).pvalue > 1e-6
    assert split(bytes(32), 3, 2) != split(bytes(32), 3, 2)


def test_shares_out_of_the_field_are_refused():
    shares = dict(enumerate(split(b"b" * 32, 3, 2), 1))
    with pytest.raises(Damaged):
        joined({1: shares[1], 2: b"\xff" * 33})
    with pytest.raises(Damaged):
        joined({1: (PRIME - 1).to_bytes(33, "big")})


def test_keys_are_those_of_the_standards():
    a, b = fresh_pair(), fresh_pair()
    one, two = Party(1, a.public), Party(2, b.public)
    key = agreed(a, 1, two, b"pair", b"c")
    assert key == agreed(b, 2, one, b"pair", b"c")
    assert key != agreed(a, 1, two, b"pair", b"d")
    parts = (b"fivefold secure aggregation 1", b"x", b"ctx", b"who")
    info = b"".join(len(p).to_bytes(8, "big") + p for p in parts)
    drawn = digest(bytes(32), b"k" * 32, sha256)
    assert derived(b"k" * 32, *parts[1:]) == digest(drawn, info + b"\x01", sha256)


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("n", [0, 1, 7, PIECE // 8, PIECE // 4 + 3, PIECE])
def test_masks_are_the_key_stream_and_cancel(bits, n):
    key, start = b"q" * 32, np.arange(n).astype(dtype_of(bits))
    stream = Cipher(algorithms.AES256(key), modes.CTR(bytes(16))).encryptor()
    slow = np.frombuffer(stream.update(bytes(n * bits // 8)), dtype=dtype_of(bits))
    total = start.copy()
    add_mask(total, key)
    assert np.array_equal(total, start + slow)
    add_mask(total, key, negative=True)
    assert np.array_equal(total, start)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    n=st.integers(1, 2**20), bits=st.sampled_from([32, 64]), largest=st.floats(1e-20, 1e20),
    share=st.floats(-1, 1),
)  # fmt: skip
def test_sums_never_overflow_and_each_number_is_off_by_half_a_step(n, bits, largest, share):
    grid = FixedPoint(bits, n, largest)
    values = torch.tensor([largest, -largest, share * largest, 0.0], dtype=torch.float64)
    whole = grid.encode(values).view(np.dtype(f"<i{bits // 8}"))
    assert n * int(np.abs(whole.astype(object)).max()) < 2 ** (bits - 1)
    decoded = grid.decode(grid.encode(values))
    assert float((decoded - values).abs().max()) <= grid.step / 2
    assert grid.step <= 2 * largest / grid.levels * (1 + 1e-12)


def test_the_largest_sum_comes_back_whole():
    for bits in (32, 64):
        grid = FixedPoint(bits, 1000, 16.0)
        most = grid.encode(torch.tensor([16.0, -16.0]))
        total = np.zeros(2, dtype=dtype_of(bits))
        for _ in range(1000):
            total += most
        assert grid.decode(total).tolist() == [16_000.0, -16_000.0]


@pytest.mark.parametrize("bad", [16.1, -17.0, float("nan"), float("inf")])
def test_numbers_beyond_the_grid_are_refused(bad):
    with pytest.raises(BadInput, match=r"16"):
        SecureAggregation(largest=16.0).grid(10).encode(torch.tensor([0.0, bad]))


def test_too_many_clients_for_small_numbers_are_refused():
    with pytest.raises(BadRecipe, match="levels"):
        FixedPoint(32, 2**22, 1.0)
    FixedPoint(64, 2**22, 1.0)


@pytest.mark.parametrize(
    "bad", [{"bits": 16}, {"largest": 0.0}, {"largest": float("inf")}, {"largest": -1.0}]
)
def test_nonsense_is_refused(bad):
    with pytest.raises(ValueError, match=r"bits|largest"):
        SecureAggregation(**bad)


MESSAGES = [
    Keys(3, b"a" * 32, b"b" * 32),
    Roster((Keys(1, b"a" * 32, b"b" * 32), Keys(2, b"c" * 32, b"d" * 32))),
    Shares(7, b"h" * 32, {1: b"xyz", 2: b""}),
    Delivery({4: b"abc", 2: b"d"}),
    Survivors((1, 5, 2**62)),
    Reveal(2, {1: b"s" * 33, 2: b"t" * 33}, {3: b"k" * 33}),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_messages_survive_as_bytes(message):
    kind = type(message)
    assert from_bytes(to_bytes(message), kind) == message
    wrong = Survivors if kind is not Survivors else Delivery
    with pytest.raises(Damaged):
        from_bytes(to_bytes(message), wrong)


@pytest.mark.parametrize("bits", [32, 64])
def test_masked_numbers_survive_as_bytes(bits):
    values = np.arange(9).astype(dtype_of(bits)) * dtype_of(bits).type(2**29 + 1)
    back = from_bytes(to_bytes(Masked(4, values)), Masked)
    assert (back.client, back.values.dtype) == (4, values.dtype)
    assert np.array_equal(back.values, values)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(data=st.data())
def test_bytes_that_are_no_message_are_refused_and_nothing_else_is_raised(data):
    told = bytearray(to_bytes(data.draw(st.sampled_from(MESSAGES))))
    for _ in range(data.draw(st.integers(1, 3))):
        told[data.draw(st.integers(0, len(told) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(told)))
    for message in MESSAGES:
        for piece in (bytes(told), bytes(told[:cut]), bytes(told) + b"x"):
            try:
                back = from_bytes(piece, type(message))
            except Damaged:
                continue
            assert to_bytes(back) == piece


def test_a_client_that_is_named_twice_is_no_message():
    told = bytearray(to_bytes(Delivery({4: b"abc", 2: b"def"})))
    place = told.index((2).to_bytes(8, "little"), 14)
    told[place : place + 8] = (4).to_bytes(8, "little")
    with pytest.raises(Damaged):
        from_bytes(bytes(told), Delivery)
