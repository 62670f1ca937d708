"""Messages as bytes: a head, whole numbers, then pieces of bytes under the numbers of clients. Nothing runs when read."""

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from fivefold.core.errors import Damaged

MAGIC = b"FFSA\x01"
HEAD = struct.Struct("<5sBII")
LIMIT = 2**63


class Frame(NamedTuple):
    """What every message consists of.

    Attributes:
        kind: Which message.
        numbers: Whole numbers below 2^63.
        parts: Bytes, each under the number of a client; no client twice.
    """

    kind: int
    numbers: tuple[int, ...] = ()
    parts: tuple[tuple[int, bytes], ...] = ()


def packed(frame: Frame) -> bytes:
    """Return the frame as bytes."""
    numbers = [*frame.numbers, *(n for c, part in frame.parts for n in (c, len(part)))]
    head = HEAD.pack(MAGIC, frame.kind, len(frame.numbers), len(frame.parts))
    return b"".join(
        [head, struct.pack(f"<{len(numbers)}Q", *numbers), *(p for _, p in frame.parts)]
    )


def unpacked(told: bytes) -> Frame:
    """Return the frame that was packed.

    Raises:
        Damaged: It is none, or bytes are lacking or left over.
    """
    if len(told) < HEAD.size:
        raise not_a_message()
    magic, kind, n_numbers, n_parts = HEAD.unpack_from(told)
    n_all = n_numbers + 2 * n_parts
    end = HEAD.size + 8 * n_all
    if magic != MAGIC or end > len(told):
        raise not_a_message()
    found = struct.unpack_from(f"<{n_all}Q", told, HEAD.size)
    clients, sizes = found[n_numbers::2], found[n_numbers + 1 :: 2]
    has_all = end + sum(sizes) == len(told) and len(set(clients)) == n_parts
    if not has_all or max(found, default=0) >= LIMIT:
        raise not_a_message()
    return Frame(kind, found[:n_numbers], tuple(_pieces(told[end:], clients, sizes)))


def _pieces(
    told: bytes, clients: Iterable[int], sizes: Iterable[int]
) -> Iterator[tuple[int, bytes]]:
    start = 0
    for client, size in zip(clients, sizes, strict=True):
        yield client, told[start : start + size]
        start += size


def not_a_message() -> Damaged:
    """Return the error for bytes that are no message of this protocol, or not the one that is due."""
    return Damaged("This is no message of secure aggregation.", mend="Start the round anew.")
