"""The messages of a round, in their order (Bonawitz et al., 2017, figure 4). Each becomes bytes and is read back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar, cast

import numpy as np

from fivefold.privacy.secure_aggregation.keys import KEY_BYTES, Party
from fivefold.privacy.secure_aggregation.mask import Bits, Ring, dtype_of
from fivefold.privacy.secure_aggregation.shamir import SHARE_BYTES
from fivefold.privacy.secure_aggregation.wire import Frame, not_a_message, packed, unpacked


class Message(Protocol):
    """Something that one side sends to the other."""

    def frame(self) -> Frame:
        """Return what it consists of."""
        ...

    @classmethod
    def of(cls, frame: Frame) -> Self:
        """Rebuild it."""
        ...


M = TypeVar("M", bound=Message)


@dataclass(frozen=True)
class Keys:
    """First, from each client: its public keys.

    Attributes:
        client: Number of the client.
        sealing: Key under which others seal shares for it; its private half is never shared.
        masking: Key from which masks follow; its private half is shared among all.
    """

    client: int
    sealing: bytes
    masking: bytes

    @property
    def sealer(self) -> Party:
        """The client with its key for shares."""
        return Party(self.client, self.sealing)

    @property
    def masker(self) -> Party:
        """The client with its key for masks."""
        return Party(self.client, self.masking)

    def frame(self) -> Frame:
        """Return what it consists of."""
        return Frame(1, (), ((self.client, self.sealing + self.masking),))

    @classmethod
    def of(cls, frame: Frame) -> Self:
        """Rebuild it."""
        _check(not frame.numbers and len(frame.parts) == 1)
        client, both = frame.parts[0]
        _check(len(both) == 2 * KEY_BYTES)
        return cls(client, both[:KEY_BYTES], both[KEY_BYTES:])


@dataclass(frozen=True)
class Roster:
    """From the server to all: whose keys have come.

    Attributes:
        keys: Theirs, in the order of their numbers.
    """

    keys: tuple[Keys, ...]

    def frame(self) -> Frame:
        """Return what it consists of."""
        return Frame(2, (), tuple(k.frame().parts[0] for k in self.keys))

    @classmethod
    def of(cls, frame: Frame) -> Self:
        """Rebuild it."""
        return cls(tuple(Keys.of(Frame(1, frame.numbers, (part,))) for part in frame.parts))


@dataclass(frozen=True)
class Shares:
    """From each client: a share of its two secrets for each other client, sealed, through the server.

    Attributes:
        client: Number of the client.
        commitment: What its seed is checked by once it has been put together.
        sealed: For each other client.
    """

    client: int
    commitment: bytes
    sealed: Mapping[int, bytes]

    def frame(self) -> Frame:
        """Return what it consists of."""
        own = (self.client, self.commitment)
        return Frame(3, (self.client,), (own, *self.sealed.items()))

    @classmethod
    def of(cls, frame: Frame) -> Self:
        """Rebuild it."""
        sealed = dict(frame.parts)
        commitment = sealed.pop(frame.numbers[0], b"") if frame.numbers else b""
        _check(len(frame.numbers) == 1 and len(commitment) == KEY_BYTES)
        return cls(frame.numbers[0], commitment, sealed)


@dataclass(frozen=True)
class Delivery:
    """From the server to one client: what others have sealed for it.

    Attributes:
        sealed: From each of those who have sent shares.
    """

    sealed: Mapping[int, bytes]

    def frame(self) -> Frame:
        """Return what it consists of."""
        return Frame(4, (), tuple(self.sealed.items()))

    @classmethod
    def of(cls, frame: Frame) -> Self:
        """Rebuild it."""
        _check(not frame.numbers)
        return cls(dict(frame.parts))


@dataclass(frozen=True, eq=False)
class Masked:
    """From each client: its numbers under all masks.

    Attributes:
        client: Number of the client.
        values: What the server adds up.
    """

    client: int
    values: Ring

    def frame(self) -> Frame:
        """Return what it consists of."""
        bits = 8 * self.values.itemsize
        return Frame(5, (bits,), ((self.client, self.values.tobytes()),))

    @classmethod
    def of(cls, frame: Frame) -> Self:
        """Rebuild it."""
        _check(len(frame.parts) == 1 and frame.numbers in ((32,), (64,)))
        client, raw = frame.parts[0]
        _check(len(raw) % (frame.numbers[0] // 8) == 0)
        kind = dtype_of(cast(Bits, frame.numbers[0]))
        return cls(client, np.frombuffer(raw, dtype=kind))


@dataclass(frozen=True)
class Survivors:
    """From the server to all: whose masked numbers have come.

    Attributes:
        clients: Their numbers.
    """

    clients: tuple[int, ...]

    def frame(self) -> Frame:
        """Return what it consists of."""
        return Frame(6, self.clients)

    @classmethod
    def of(cls, frame: Frame) -> Self:
        """Rebuild it."""
        _check(not frame.parts and len(set(frame.numbers)) == len(frame.numbers))
        return cls(frame.numbers)


@dataclass(frozen=True)
class Reveal:
    """From each client that is left: one share of each other client, of its seed or of its key.

    Attributes:
        client: Number of the client.
        seeds: Shares of the seeds of those whose masked numbers have come.
        keys: Shares of the keys of those whose have not.
    """

    client: int
    seeds: Mapping[int, bytes]
    keys: Mapping[int, bytes]

    def frame(self) -> Frame:
        """Return what it consists of."""
        parts = (*self.seeds.items(), *self.keys.items())
        return Frame(7, (self.client, len(self.seeds)), parts)

    @classmethod
    def of(cls, frame: Frame) -> Self:
        """Rebuild it."""
        _check(len(frame.numbers) == 2 and frame.numbers[1] <= len(frame.parts))
        _check(all(len(share) == SHARE_BYTES for _, share in frame.parts))
        client, n_seeds = frame.numbers
        return cls(client, dict(frame.parts[:n_seeds]), dict(frame.parts[n_seeds:]))


KINDS: Sequence[type[Message]] = (Keys, Roster, Shares, Delivery, Masked, Survivors, Reveal)


def to_bytes(message: Message) -> bytes:
    """Return a message as bytes."""
    return packed(message.frame())


def from_bytes(told: bytes, kind: type[M]) -> M:
    """Return the message that was sent.

    Raises:
        Damaged: It is no message of this kind.
    """
    frame = unpacked(told)
    _check(frame.kind == KINDS.index(kind) + 1)
    return kind.of(frame)


def _check(is_right: bool) -> None:
    if not is_right:
        raise not_a_message()
