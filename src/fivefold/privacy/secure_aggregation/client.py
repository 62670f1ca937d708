"""A client's part in a round of secure aggregation (Bonawitz et al., 2017)."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from fivefold.privacy.secure_aggregation.envelope import opened, seal
from fivefold.privacy.secure_aggregation.keys import (
    KEY_BYTES,
    PAIR,
    SHARES,
    KeyPair,
    agreed,
    commitment,
    fresh_pair,
    own_key,
)
from fivefold.privacy.secure_aggregation.mask import Ring, add_mask, dtype_of
from fivefold.privacy.secure_aggregation.messages import (
    Delivery,
    Keys,
    Masked,
    Reveal,
    Roster,
    Shares,
    Survivors,
)
from fivefold.privacy.secure_aggregation.refusals import (
    not_in_round,
    not_now,
    one_client,
    too_few,
    twice,
    wrong_size,
)
from fivefold.privacy.secure_aggregation.rule import SecureAggregation
from fivefold.privacy.secure_aggregation.shamir import SHARE_BYTES, split


class Stage(IntEnum):
    """What a client has done last."""

    NEW = 0
    JOINED = 1
    SHARED = 2
    MASKED = 3
    REVEALED = 4


@dataclass(kw_only=True)
class Client:
    """One client in one round. It does each thing once and never goes back.

    Masks hide two different inputs only if each has masks of its own, and nobody may get shares of both the
    seed and the key of another client. So a client masks once, answers once, and a new round needs a new
    client.

    Attributes:
        rule: What all sides agree on.
        number: Number of the client.
        context: Name of the run and number of the round, the same on all sides; keys depend on it.
        stage: What it has done last.
    """

    rule: SecureAggregation
    number: int
    context: bytes
    stage: Stage = field(default=Stage.NEW, init=False)
    _sealing: KeyPair = field(default_factory=fresh_pair, init=False, repr=False)
    _masking: KeyPair = field(default_factory=fresh_pair, init=False, repr=False)
    _seed: bytes = field(
        default_factory=lambda: secrets.token_bytes(KEY_BYTES), init=False, repr=False
    )
    _peers: Mapping[int, Keys] = field(default_factory=dict[int, Keys], init=False, repr=False)
    _seals: dict[int, bytes] = field(default_factory=dict[int, bytes], init=False, repr=False)
    _shares: dict[int, bytes] = field(default_factory=dict[int, bytes], init=False, repr=False)

    @property
    def n_clients(self) -> int:
        """How many clients have joined; it sets the grid that numbers are rounded to."""
        return len(self._peers)

    def join(self) -> Keys:
        """Return the public keys of this round."""
        self._must_be(Stage.NEW)
        self.stage = Stage.JOINED
        return Keys(self.number, self._sealing.public, self._masking.public)

    def share(self, roster: Roster) -> Shares:
        """Return shares of the two secrets for all who have joined.

        Raises:
            BadInput: There are too few of them, one is there twice, or this one is lacking.
        """
        self._must_be(Stage.JOINED)
        self._peers = self._checked(roster)
        self.stage = Stage.SHARED
        least = self.rule.least(self.n_clients)
        halves = [split(s, self.n_clients, least) for s in (self._masking.private, self._seed)]
        plain = {to: key + seed for to, key, seed in zip(self._peers, *halves, strict=True)}
        self._shares[self.number] = plain.pop(self.number)
        sealed = {to: seal(self._key(to), both, self.number, to) for to, both in plain.items()}
        return Shares(self.number, commitment(self._seed, self.number, self.context), sealed)

    def mask(self, delivery: Delivery, values: Ring) -> Masked:
        """Return `values` under all masks.

        Args:
            delivery: Shares from others; masks are made with exactly those who have sent them.
            values: Numbers of the ring, see `FixedPoint`.

        Raises:
            BadInput: Too few clients are left, one is unknown, or `values` are not of the ring.
            Damaged: A share was changed on its way.
        """
        self._must_be(Stage.SHARED)
        if values.dtype != dtype_of(self.rule.bits) or values.ndim != 1:
            raise wrong_size(self.number)
        found = {sender: self._opened(sender, s) for sender, s in delivery.sealed.items()}
        self._must_be_enough(len(found) + 1)
        self.stage = Stage.MASKED
        self._shares |= found
        total = values.copy()
        add_mask(total, own_key(self._seed, self.number, self.context))
        for peer in found:
            add_mask(total, self._pair_key(peer), negative=peer < self.number)
        return Masked(self.number, total)

    def reveal(self, survivors: Survivors) -> Reveal:
        """Return one share of every client: of its seed if its numbers have come, of its key if not.

        Raises:
            BadInput: Too few clients are left, or this one or an unknown one is said to be.
        """
        self._must_be(Stage.MASKED)
        stayed = set(survivors.clients)
        for number in (stayed - self._shares.keys()) | ({self.number} - stayed):
            raise not_in_round(number)
        self._must_be_enough(len(stayed))
        self.stage = Stage.REVEALED
        both, self._shares = self._shares, {}
        seeds = {who: s[SHARE_BYTES:] for who, s in both.items() if who in stayed}
        keys = {who: s[:SHARE_BYTES] for who, s in both.items() if who not in stayed}
        assert not seeds.keys() & keys.keys()
        return Reveal(self.number, seeds, keys)

    def _checked(self, roster: Roster) -> Mapping[int, Keys]:
        """Return the keys of all, by their numbers in order, if they can be worked with."""
        peers = {k.client: k for k in sorted(roster.keys, key=lambda k: k.client)}
        own = Keys(self.number, self._sealing.public, self._masking.public)
        if peers.get(self.number) != own:
            raise not_in_round(self.number)
        publics = {p for k in peers.values() for p in (k.sealing, k.masking)}
        if len(peers) < len(roster.keys) or len(publics) < 2 * len(peers):
            raise twice()
        if len(peers) < 2:
            raise one_client()
        return peers

    def _opened(self, sender: int, sealed: bytes) -> bytes:
        if sender not in self._peers or sender == self.number:
            raise not_in_round(sender)
        return opened(self._key(sender), sealed, sender, self.number)

    def _key(self, peer: int) -> bytes:
        """Return the key under which shares are sealed between this client and another, made once."""
        if peer not in self._seals:
            other = self._peers[peer].sealer
            self._seals[peer] = agreed(self._sealing, self.number, other, SHARES, self.context)
        return self._seals[peer]

    def _pair_key(self, peer: int) -> bytes:
        other = self._peers[peer].masker
        return agreed(self._masking, self.number, other, PAIR, self.context)

    def _must_be(self, stage: Stage) -> None:
        if self.stage != stage:
            raise not_now(self.number)

    def _must_be_enough(self, n: int) -> None:
        if n < (least := self.rule.least(self.n_clients)):
            raise too_few(n, least)
