"""A round of secure aggregation: 100 clients, one after another in one process, against a plain sum.

All messages are made and read, a tenth of the clients leaves after sharing its secrets, and the sum must equal
the plain one exactly. Nothing is promised of the ratio to a plain sum, which hides nothing: it tells the price.
A client's part is what a real client would wait for. The mask of one pair is measured against AES-256 in
counter mode alone, below which no mask of this kind can cost.
"""

import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from harness import RESULTS, Row, arguments, finish, interleaved, load

from fivefold.privacy.secure_aggregation import (
    Client,
    Delivery,
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
from fivefold.privacy.secure_aggregation.mask import Bits, Ring, add_mask, dtype_of

N_CLIENTS, N_GONE = 100, 10


class Spent(NamedTuple):
    """Seconds of all clients and of the server, and bytes that one client sends and gets."""

    clients: float
    server: float
    sent: int


def played(rule: SecureAggregation, values: Ring) -> tuple[Ring, Spent]:
    """Return the sum of all but the first clients, which leave after sharing."""
    start, context, sent = time.process_time(), b"benchmark", 0
    server = Server(rule=rule, context=context, width=values.shape[1])
    clients = [Client(rule=rule, number=i, context=context) for i in range(len(values))]
    told = [to_bytes(c.join()) for c in clients]
    at_clients = time.process_time() - start
    for message in told:
        server.take_keys(from_bytes(message, Keys))
    roster = to_bytes(server.roster())
    sent += len(told[0]) + len(roster)

    start = time.process_time()
    told = [to_bytes(c.share(from_bytes(roster, Roster))) for c in clients]
    at_clients += time.process_time() - start
    for message in told:
        server.take_shares(from_bytes(message, Shares))
    deliveries = {i: to_bytes(d) for i, d in server.deliveries().items()}
    sent += len(told[0]) + len(deliveries[0])

    masked = b""
    for i in range(N_GONE, len(values)):
        start = time.process_time()
        masked = to_bytes(clients[i].mask(from_bytes(deliveries[i], Delivery), values[i]))
        at_clients += time.process_time() - start
        server.take_masked(from_bytes(masked, Masked))
    survivors = to_bytes(server.survivors())
    sent += len(masked) + len(survivors)

    start = time.process_time()
    told = [to_bytes(c.reveal(from_bytes(survivors, Survivors))) for c in clients[N_GONE:]]
    at_clients += time.process_time() - start
    for message in told:
        server.take_reveal(from_bytes(message, Reveal))
    start = time.process_time()
    total = server.total()
    return total, Spent(at_clients, time.process_time() - start, sent + len(told[0]))


def whole_round(n_weights: int, bits: Bits, repeats: int) -> Row:
    drawn = np.random.default_rng(0).integers(0, 2**32, (N_CLIENTS, n_weights), dtype=np.uint64)
    values, rule = drawn.astype(dtype_of(bits)), SecureAggregation(bits=bits)
    total, spent = played(rule, values)
    mine, theirs = interleaved(
        lambda: played(rule, values),
        lambda: values[N_GONE:].sum(0, dtype=values.dtype),
        repeats=repeats,
    )
    return Row(
        work=f"secure sum, {N_CLIENTS} clients x {n_weights} weights, {bits} bits",
        peer="plain sum", peer_version="",
        ratio=theirs.wall / mine.wall, reach=0.0,
        equal_quality=bool(np.array_equal(total, values[N_GONE:].sum(0, dtype=values.dtype))),
        ours={
            "wall s": round(mine.wall, 3), "cpu s": round(mine.cpu, 3),
            "one client, ms": round(1e3 * spent.clients / N_CLIENTS, 1),
            "server at the end, s": round(spent.server, 3),
            "bytes of one client": spent.sent,
            "times the plain bytes": round(spent.sent / values[0].nbytes, 2),
        },
        theirs={"wall s": round(theirs.wall, 5)},
        threads=1, load=load(),
    )  # fmt: skip


def one_mask(n_weights: int, repeats: int) -> Row:
    total, key = np.zeros(n_weights, dtype="<u4"), b"k" * 32
    zeros, drawn = bytes(total.nbytes), bytearray(total.nbytes + 16)

    def stream() -> None:
        Cipher(algorithms.AES256(key), modes.CTR(bytes(16))).encryptor().update_into(zeros, drawn)

    stream()
    add_mask(total, key)
    is_same = np.array_equal(total, np.frombuffer(drawn, dtype="<u4", count=n_weights))
    mine, theirs = interleaved(lambda: add_mask(total, key), stream, repeats=repeats)
    return Row(
        work=f"mask of one pair, {n_weights} weights, 32 bits", peer="AES-256-CTR alone", peer_version="",
        ratio=round(theirs.wall / mine.wall, 3), reach=0.5, equal_quality=is_same,
        ours={"wall ms": round(mine.wall * 1e3, 4)}, theirs={"wall ms": round(theirs.wall * 1e3, 4)},
        threads=1, load=load(),
    )  # fmt: skip


def main() -> None:
    asked = arguments(str(__doc__))
    repeats = 1 if asked.quick else 5
    cases: tuple[tuple[int, Bits], ...] = ((10_000, 32), (100_000, 32), (100_000, 64))
    rows = [whole_round(n, bits, repeats) for n, bits in cases]
    rows += [one_mask(n, 101) for n in (10_000, 100_000)]
    finish(rows, asked.json or RESULTS / "privacy_secure_aggregation.json")


if __name__ == "__main__":
    main()
