"""What the server sees says nothing of one client, and what it may ask for never adds up to more."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from fivefold.core.errors import BadInput, Damaged
from fivefold.privacy.secure_aggregation import (
    Client,
    Delivery,
    Masked,
    Reveal,
    Roster,
    SecureAggregation,
    Server,
    Survivors,
)
from fivefold.privacy.secure_aggregation.keys import KeyPair, own_key
from fivefold.privacy.secure_aggregation.mask import add_mask, dtype_of
from fivefold.privacy.secure_aggregation.shamir import joined

RULE = SecureAggregation(threshold=0.51)


def shared(n=5, rule=RULE, width=4, context=b"round 1"):
    """Return a server and clients that have shared their secrets, and what each must get."""
    server = Server(rule=rule, context=context, width=width)
    clients = [Client(rule=rule, number=i, context=context) for i in range(n)]
    for client in clients:
        server.take_keys(client.join())
    roster = server.roster()
    for client in clients:
        server.take_shares(client.share(roster))
    return server, clients, server.deliveries()


def masked(server, clients, deliveries, who, value=0):
    zeros = np.full(server.width, value, dtype=dtype_of(server.rule.bits))
    for i in who:
        server.take_masked(clients[i].mask(deliveries[i], zeros))
    return server.survivors()


@pytest.mark.parametrize("bits", [32, 64])
def test_masked_numbers_are_uniform_over_the_whole_range(bits):
    _, clients, deliveries = shared(3, SecureAggregation(bits=bits), width=200_000)
    zeros = np.zeros(200_000, dtype=dtype_of(bits))
    seen = clients[1].mask(deliveries[1], zeros).values
    for shift in (bits - 8, bits // 2, 0):
        counts = np.bincount(((seen >> seen.dtype.type(shift)) & seen.dtype.type(255)).astype(int))
        assert stats.chisquare(counts).pvalue > 1e-6
    assert abs(np.corrcoef(seen[1:].astype(float), seen[:-1].astype(float))[0, 1]) < 0.02


def test_the_same_numbers_look_different_each_time_and_never_share_a_mask():
    """Of masks that come twice, the difference of two inputs would be seen."""
    seen = []
    for context in (b"round 1", b"round 1", b"round 2"):
        _, clients, deliveries = shared(3, width=2000, context=context)
        for client in clients:
            zeros = np.zeros(2000, dtype=np.uint32)
            seen.append(client.mask(deliveries[client.number], zeros).values)
    differences = [np.mean(a == b) for i, a in enumerate(seen) for b in seen[:i]]
    assert max(differences) < 0.01


def test_the_masks_of_a_pair_differ_by_round_and_purpose_even_with_the_same_keys():
    keys = set()
    for context in (b"round 1", b"round 2", b"", b"round 1\x00"):
        _, clients, _ = shared(2, context=context)
        a, b = clients
        a._masking, a._sealing, a._seed = KeyPair(b"m" * 32), KeyPair(b"c" * 32), b"s" * 32
        b._masking, b._sealing = KeyPair(b"n" * 32), KeyPair(b"d" * 32)
        roster = Roster(
            tuple(replace(c.join(), client=c.number) for c in map(fresh_stage, clients))
        )
        for client in clients:
            client._peers, client._seals = {k.client: k for k in roster.keys}, {}
        assert a._pair_key(1) == b._pair_key(0)
        assert a._key(1) == b._key(0)
        keys |= {a._pair_key(1), a._key(1), own_key(a._seed, 0, context)}
    assert len(keys) == 12


def fresh_stage(client):
    client.stage = type(client.stage).NEW
    return client


def test_without_its_own_seed_a_client_that_was_slow_would_be_uncovered():
    """Why there are two masks: the pairwise ones alone fall when a client is wrongly taken for gone."""
    server, clients, deliveries = shared()
    held = clients[0].mask(deliveries[0], np.full(4, 123, dtype=np.uint32))
    survivors = masked(server, clients, deliveries, [1, 2, 3, 4])
    answers = [clients[i].reveal(survivors) for i in survivors.clients]
    private = joined({a.client + 1: a.keys[0] for a in answers[:3]})
    assert private == clients[0]._masking.private
    left = held.values.copy()
    for peer in range(1, 5):
        add_mask(left, clients[0]._pair_key(peer), negative=True)
    assert not np.any(left == 123)
    add_mask(left, own_key(clients[0]._seed, 0, b"round 1"), negative=True)
    assert np.all(left == 123)


def test_a_client_answers_once_so_nobody_gets_both_secrets_of_another():
    server, clients, deliveries = shared()
    survivors = masked(server, clients, deliveries, range(5))
    first = clients[1].reveal(survivors)
    assert first.seeds.keys() == set(range(5))
    assert not first.keys
    for lie in (survivors, Survivors((0, 1, 2)), Survivors((1, 2, 3, 4))):
        with pytest.raises(BadInput, match="once and in order"):
            clients[1].reveal(lie)


def test_two_stories_do_not_give_both_secrets():
    """A server that tells some that client 0 stayed, and others that it left, gets too few of either share."""
    for n in range(3, 10):
        server, clients, deliveries = shared(n)
        masked(server, clients, deliveries, range(n))
        seeds, keys = [], []
        for i, client in enumerate(clients[1:], 1):
            told = range(n) if i % 2 else range(1, n)
            answer = client.reveal(Survivors(tuple(told)))
            (seeds if 0 in answer.seeds else keys).append(i)
            assert not answer.seeds.keys() & answer.keys.keys()
        assert min(len(seeds), len(keys)) < RULE.least(n)


def test_a_client_masks_once():
    _, clients, deliveries = shared()
    zeros = np.zeros(4, dtype=np.uint32)
    clients[0].mask(deliveries[0], zeros)
    with pytest.raises(BadInput, match="once and in order"):
        clients[0].mask(deliveries[0], zeros)
    with pytest.raises(BadInput, match="once and in order"):
        clients[0].join()
    with pytest.raises(BadInput, match="once and in order"):
        clients[1].reveal(Survivors((0, 1, 2)))


@pytest.mark.parametrize("claimed", [(0, 1), (1, 2, 3), (0, 1, 2, 9), ()])
def test_a_client_uncovers_nothing_for_a_list_that_cannot_be(claimed):
    server, clients, deliveries = shared()
    masked(server, clients, deliveries, range(5))
    with pytest.raises(BadInput, match=r"[Cc]lient"):
        clients[0].reveal(Survivors(claimed))


def test_a_client_masks_with_enough_others_only():
    _, clients, deliveries = shared()
    few = Delivery(dict(list(deliveries[0].sealed.items())[:1]))
    with pytest.raises(BadInput, match="2 clients are left, and 3"):
        clients[0].mask(few, np.zeros(4, dtype=np.uint32))
    strange = Delivery({**deliveries[0].sealed, 8: b""})
    with pytest.raises(BadInput, match="Client 8"):
        clients[0].mask(strange, np.zeros(4, dtype=np.uint32))


def test_shares_that_were_changed_or_sent_astray_are_refused():
    _, clients, deliveries = shared()
    right, zeros = dict(deliveries[0].sealed), np.zeros(4, dtype=np.uint32)
    flipped = bytes([right[1][0]]) + right[1][1:-1] + bytes([right[1][-1] ^ 1])
    others = {1: flipped, 2: right[1], 3: deliveries[1].sealed[3], 4: b""}
    for sender, wrong in others.items():
        with pytest.raises(Damaged, match=f"client {sender}"):
            clients[0].mask(Delivery({**right, sender: wrong}), zeros)
    clients[0].mask(Delivery(right), zeros)


def test_the_server_cannot_open_what_it_carries():
    """With the mask key of a client that left, recovered as it should be, its sealed shares stay shut."""
    server, clients, deliveries = shared()
    survivors = masked(server, clients, deliveries, [1, 2, 3, 4])
    answers = [clients[i].reveal(survivors) for i in (1, 2, 3)]
    private = joined({a.client + 1: a.keys[0] for a in answers})
    spy = Client(rule=RULE, number=0, context=b"round 1")
    spy._sealing, spy._peers = KeyPair(private), clients[0]._peers
    with pytest.raises(Damaged):
        spy._opened(1, deliveries[0].sealed[1])


@pytest.mark.parametrize("which", ["seeds", "keys"])
def test_changed_answers_give_no_sum_instead_of_a_wrong_one(which):
    server, clients, deliveries = shared()
    survivors = masked(server, clients, deliveries, [0, 1, 2, 3])
    for i in range(3):
        answer = clients[i].reveal(survivors)
        if i == 1:
            about = 4 if which == "keys" else 2
            share = bytearray(getattr(answer, which)[about])
            share[-1] ^= 1
            answer = replace(answer, **{which: {**getattr(answer, which), about: bytes(share)}})
        server.take_reveal(answer)
    with pytest.raises(Damaged):
        server.total()


def test_answers_about_others_than_were_asked_are_refused():
    server, clients, deliveries = shared()
    survivors = masked(server, clients, deliveries, [0, 1, 2, 3])
    answer = clients[0].reveal(survivors)
    swapped = Reveal(0, dict(answer.keys), dict(answer.seeds))
    with pytest.raises(Damaged):
        server.take_reveal(swapped)
    with pytest.raises(BadInput, match="Client 4"):
        server.take_reveal(replace(answer, client=4))


def test_secrets_are_not_shown():
    server, clients, deliveries = shared()
    masked(server, clients, deliveries, range(5))
    client = clients[0]
    shown = repr(client) + repr(server) + repr(client._masking)
    for secret in (client._masking.private, client._sealing.private, client._seed):
        assert repr(secret)[2:-1] not in shown
        assert secret.hex() not in shown


def test_masked_numbers_survive_only_whole():
    with pytest.raises(BadInput):
        Server(rule=RULE, context=b"", width=4).take_masked(Masked(0, np.zeros(4, dtype=np.uint32)))
