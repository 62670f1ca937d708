"""Whole rounds, every message through bytes: masks cancel exactly, whoever leaves and whenever."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.errors import BadInput, Damaged
from fivefold.privacy.secure_aggregation import (
    Client,
    Delivery,
    FixedPoint,
    Keys,
    Masked,
    Reveal,
    Roster,
    SecureAggregation,
    Server,
    Shares,
    Survivors,
    from_bytes,
    to_bytes,
)
from fivefold.privacy.secure_aggregation.mask import Bits, dtype_of
from seeding import seeded

RULE = SecureAggregation(threshold=0.51)
NEVER = 9  # a stage that no client reaches: it stays to the end


def sent(message, kind):
    return from_bytes(to_bytes(message), kind)


def numbers(n_clients, width=5, bits: Bits = 32, seed=0):
    drawn = np.random.default_rng(seed).integers(0, 2**bits, (n_clients, width), dtype=np.uint64)
    return drawn.astype(dtype_of(bits))


def opened_round(rule, ids, leaves, width=5, context=b"round 1"):
    """Return server and clients after the keys and shares; client `i` leaves at stage `leaves[i]`."""
    server = Server(rule=rule, context=context, width=width)
    clients = {i: Client(rule=rule, number=i, context=context) for i in ids}
    for i, client in clients.items():
        if leaves.get(i, NEVER) > 0:
            server.take_keys(sent(client.join(), Keys))
    roster = sent(server.roster(), Roster)
    for i, client in clients.items():
        if leaves.get(i, NEVER) > 1:
            server.take_shares(sent(client.share(roster), Shares))
    return server, clients


def played(rule, values, leaves, context=b"round 1"):
    """Return the sum of a round in which client `i` holds `values[i]` and leaves at stage `leaves[i]`."""
    width = values.shape[1]
    server, clients = opened_round(rule, range(len(values)), leaves, width, context)
    for i, delivery in server.deliveries().items():
        if leaves.get(i, NEVER) > 2:
            server.take_masked(sent(clients[i].mask(sent(delivery, Delivery), values[i]), Masked))
    survivors = sent(server.survivors(), Survivors)
    for i in survivors.clients:
        if leaves.get(i, NEVER) > 3:
            server.take_reveal(sent(clients[i].reveal(survivors), Reveal))
    return server.total()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    leaves=st.lists(st.sampled_from([0, 1, 2, 3, NEVER, NEVER, NEVER]), min_size=2, max_size=8),
    bits=st.sampled_from([32, 64]),
)
def test_the_sum_is_exact_whoever_leaves_or_there_is_none(leaves, bits):
    rule, values = SecureAggregation(threshold=0.51, bits=bits), numbers(len(leaves), bits=bits)
    at = dict(enumerate(leaves))
    joined = sum(s > 0 for s in leaves)
    if joined < 2 or sum(s > 3 for s in leaves) < rule.least(joined):
        with pytest.raises(BadInput, match="clients"):
            played(rule, values, at)
        return
    stayed = [i for i, s in at.items() if s > 2]
    plain = values[stayed].astype(object).sum(0) % 2**bits
    assert played(rule, values, at).tolist() == plain.tolist()


@pytest.mark.parametrize("gone_at", [0, 1, 2, 3])
def test_a_third_may_leave_at_any_time(gone_at):
    rule, values = SecureAggregation(), numbers(9)
    leaves = {1: gone_at, 4: gone_at, 8: gone_at}
    kept = range(9) if gone_at == 3 else [i for i in range(9) if i not in leaves]
    assert np.array_equal(played(rule, values, leaves), values[list(kept)].sum(0, dtype="u4"))


@settings(max_examples=20, deadline=None, derandomize=True)
@given(n=st.integers(2, 7), bits=st.sampled_from([32, 64]), seed=st.integers(0, 100))
def test_the_mean_of_updates_is_within_half_a_step_of_the_plain_one(n, bits, seed):
    updates = torch.randn(n, 11, generator=seeded(seed), dtype=torch.float64)
    grid = FixedPoint(bits, n, 8.0)
    values = np.stack([grid.encode(u) for u in updates])
    total = grid.decode(played(SecureAggregation(bits=bits), values, {}))
    quantised = torch.stack([(u / grid.step).round() for u in updates]).sum(0) * grid.step
    assert torch.equal(total, quantised)
    rounding = 1e-15 * n
    assert float((total / n - updates.mean(0)).abs().max()) <= grid.step / 2 + rounding


def test_numbers_of_clients_may_be_any():
    ids, width = [2**62, 5, 0, 77], 3
    server, clients = opened_round(RULE, ids, {}, width)
    values = dict(zip(ids, numbers(4, width), strict=True))
    for i, delivery in server.deliveries().items():
        server.take_masked(clients[i].mask(delivery, values[i]))
    survivors = server.survivors()
    for client in clients.values():
        server.take_reveal(client.reveal(survivors))
    assert np.array_equal(server.total(), sum(values.values()))


def test_fewer_than_the_threshold_get_no_sum():
    values, rule = numbers(6), SecureAggregation(threshold=0.8)
    assert rule.least(6) == 5
    played(rule, values, {0: 3})
    for stage in (1, 2, 3):
        with pytest.raises(BadInput, match="4 clients are left, and 5"):
            played(rule, values, {0: stage, 3: stage})


def test_one_client_is_refused_on_both_sides():
    with pytest.raises(BadInput, match="one client"):
        opened_round(RULE, [1], {})
    client = Client(rule=RULE, number=1, context=b"")
    with pytest.raises(BadInput, match="one client"):
        client.share(Roster((client.join(),)))


@pytest.mark.parametrize("threshold", [0.5, 0.3, 1.01, 0.0])
def test_thresholds_that_two_groups_could_reach_are_refused(threshold):
    with pytest.raises(ValueError, match="threshold"):
        SecureAggregation(threshold=threshold)


def test_a_threshold_is_always_more_than_half():
    for n in range(2, 300):
        for threshold in (0.5 + 1e-12, 0.51, 2 / 3, 0.9, 1.0):
            least = SecureAggregation(threshold=threshold).least(n)
            assert n / 2 < least <= n
            assert least >= threshold * n - 1e-6
    assert SecureAggregation(threshold=2 / 3).least(3) == 2


def test_two_clients_with_one_number_or_key_are_refused():
    a, b, twin = (Client(rule=RULE, number=i, context=b"") for i in (0, 1, 0))
    server = Server(rule=RULE, context=b"", width=1)
    keys = [c.join() for c in (a, b, twin)]
    server.take_keys(keys[0])
    with pytest.raises(BadInput, match="twice"):
        server.take_keys(keys[2])
    for bad in ((*keys[:2], keys[1]), (keys[0], Keys(1, keys[0].sealing, keys[1].masking))):
        with pytest.raises(BadInput, match="twice"):
            a.share(Roster(bad))
    with pytest.raises(BadInput, match="Client 0"):
        a.share(Roster((keys[1], keys[2])))
    with pytest.raises(Damaged, match="client 1"):
        a.share(Roster((keys[0], Keys(1, bytes(32), keys[1].masking))))


def test_numbers_that_do_not_fit_are_refused():
    server, clients = opened_round(RULE, range(3), {})
    delivery = server.deliveries()
    with pytest.raises(BadInput, match="another count"):
        clients[0].mask(delivery[0], numbers(1, bits=64)[0])
    short = clients[0].mask(delivery[0], numbers(1, width=4)[0])
    with pytest.raises(BadInput, match="another count"):
        server.take_masked(short)


def test_the_server_goes_its_way_once():
    server, clients = opened_round(RULE, range(3), {})
    with pytest.raises(BadInput, match="once and in order"):
        server.roster()
    with pytest.raises(BadInput, match="once and in order"):
        server.total()
    delivery = server.deliveries()
    masked = clients[0].mask(delivery[0], numbers(1)[0])
    server.take_masked(masked)
    with pytest.raises(BadInput, match="Client 0"):
        server.take_masked(masked)
    with pytest.raises(BadInput, match="Client 7"):
        server.take_masked(Masked(7, masked.values))
