"""The server's part in a round of secure aggregation (Bonawitz et al., 2017): it adds what it cannot read."""

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from fivefold.privacy.secure_aggregation.keys import (
    PAIR,
    KeyPair,
    agreed,
    commitment,
    not_sent_by,
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
    one_client,
    out_of_turn,
    too_few,
    twice,
    wrong_size,
)
from fivefold.privacy.secure_aggregation.rule import SecureAggregation
from fivefold.privacy.secure_aggregation.shamir import joined


class Turn(IntEnum):
    """What the server is collecting."""

    KEYS = 0
    SHARES = 1
    MASKED = 2
    REVEALS = 3
    OVER = 4


@dataclass(kw_only=True)
class Server:
    """The server in one round. It collects from whoever answers, then closes the turn for the others.

    Attributes:
        rule: What all sides agree on.
        context: Name of the run and number of the round, the same on all sides.
        width: How many numbers each client sends.
        turn: What it is collecting.
    """

    rule: SecureAggregation
    context: bytes
    width: int
    turn: Turn = field(default=Turn.KEYS, init=False)
    _keys: dict[int, Keys] = field(default_factory=dict[int, Keys], init=False, repr=False)
    _shares: dict[int, Shares] = field(default_factory=dict[int, Shares], init=False, repr=False)
    _stayed: set[int] = field(default_factory=set[int], init=False)
    _reveals: dict[int, Reveal] = field(default_factory=dict[int, Reveal], init=False, repr=False)
    _total: Ring = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._total = np.zeros(self.width, dtype=dtype_of(self.rule.bits))

    @property
    def least(self) -> int:
        """How many clients must stay to the end."""
        return self.rule.least(len(self._keys))

    def take_keys(self, keys: Keys) -> None:
        """Take in the keys of a client."""
        self._must_be(Turn.KEYS)
        if keys.client in self._keys:
            raise twice()
        self._keys[keys.client] = keys

    def roster(self) -> Roster:
        """Close the turn and return who has joined.

        Raises:
            BadInput: Fewer than two have.
        """
        self._must_be(Turn.KEYS)
        if len(self._keys) < 2:
            raise one_client()
        self.turn = Turn.SHARES
        self._keys = dict(sorted(self._keys.items()))
        return Roster(tuple(self._keys.values()))

    def take_shares(self, shares: Shares) -> None:
        """Take in the sealed shares of a client, which it must have for each other one."""
        self._must_be(Turn.SHARES)
        self._must_know(shares.client, self._keys.keys() - self._shares.keys())
        if set(shares.sealed) != self._keys.keys() - {shares.client}:
            raise not_sent_by(shares.client)
        self._shares[shares.client] = shares

    def deliveries(self) -> dict[int, Delivery]:
        """Close the turn and return what each client that goes on must get.

        Raises:
            BadInput: Too few clients go on.
        """
        self._must_be(Turn.SHARES)
        self._must_be_enough(len(self._shares))
        self.turn = Turn.MASKED
        return {
            to: Delivery({own: s.sealed[to] for own, s in self._shares.items() if own != to})
            for to in self._shares
        }

    def take_masked(self, masked: Masked) -> None:
        """Add the masked numbers of a client to the sum."""
        self._must_be(Turn.MASKED)
        self._must_know(masked.client, self._shares.keys() - self._stayed)
        if masked.values.shape != self._total.shape or masked.values.dtype != self._total.dtype:
            raise wrong_size(masked.client)
        np.add(self._total, masked.values, out=self._total)
        self._stayed.add(masked.client)

    def survivors(self) -> Survivors:
        """Close the turn and return whose numbers are in the sum.

        Raises:
            BadInput: Too few are.
        """
        self._must_be(Turn.MASKED)
        self._must_be_enough(len(self._stayed))
        self.turn = Turn.REVEALS
        return Survivors(tuple(sorted(self._stayed)))

    def take_reveal(self, reveal: Reveal) -> None:
        """Take in a client's shares of what must be subtracted."""
        self._must_be(Turn.REVEALS)
        self._must_know(reveal.client, self._stayed - self._reveals.keys())
        gone = self._shares.keys() - self._stayed
        if set(reveal.seeds) != self._stayed or set(reveal.keys) != gone:
            raise not_sent_by(reveal.client)
        self._reveals[reveal.client] = reveal

    def total(self) -> Ring:
        """Return the sum of the numbers of all whose masked numbers have come.

        Raises:
            BadInput: Too few clients are left to take away the masks.
            Damaged: A share was changed.
        """
        self._must_be(Turn.REVEALS)
        self._must_be_enough(len(self._reveals))
        self.turn = Turn.OVER
        places = {client: i for i, client in enumerate(self._keys, 1)}
        answers = {places[c]: self._reveals[c] for c in sorted(self._reveals)[: self.least]}
        for client in sorted(self._stayed):
            self._take_own(client, joined({p: r.seeds[client] for p, r in answers.items()}))
        for client in sorted(self._shares.keys() - self._stayed):
            self._take_pairs(client, joined({p: r.keys[client] for p, r in answers.items()}))
        return self._total

    def _take_own(self, client: int, seed: bytes) -> None:
        """Subtract the mask that a client has made by itself."""
        if commitment(seed, client, self.context) != self._shares[client].commitment:
            raise not_sent_by(client)
        add_mask(self._total, own_key(seed, client, self.context), negative=True)

    def _take_pairs(self, client: int, private: bytes) -> None:
        """Subtract what others have added for a client whose own numbers have not come."""
        pair = KeyPair(private)
        if pair.public != self._keys[client].masking:
            raise not_sent_by(client)
        for peer in self._stayed:
            key = agreed(pair, client, self._keys[peer].masker, PAIR, self.context)
            add_mask(self._total, key, negative=peer < client)

    def _must_be(self, turn: Turn) -> None:
        if self.turn != turn:
            raise out_of_turn()

    def _must_be_enough(self, n: int) -> None:
        if n < self.least:
            raise too_few(n, self.least)

    def _must_know(self, client: int, due: set[int]) -> None:
        if client not in due:
            raise not_in_round(client)
