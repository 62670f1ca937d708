"""Clients on machines of their own, asked through Flower; who does not answer in time has dropped out of the round."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fivefold.core.errors import Damaged
from fivefold.models.torch import TorchModel
from fivefold.privacy.federated.flower.client import DRIFT, SIZE, UPDATE
from fivefold.privacy.federated.flower.deployment import Deployment
from fivefold.privacy.federated.flower.wire import content_of, flower, tensor_in, told_in
from fivefold.privacy.federated.layout import Layout, write
from fivefold.privacy.federated.local import Answers, Part
from fivefold.privacy.federated.order import Local
from fivefold.privacy.federated.partition import Clients

POLL = 0.5  # seconds between looks at what has come
MOST_EXAMPLES = 2**40


@dataclass(kw_only=True)
class Elsewhere:
    """Clients on machines of their own.

    Attributes:
        grid: Flower's way to reach them.
        keys: The public key of each client, in order.
        model: What they are sent; its weights are those of the server.
        layout: Where weights lie in a row.
        seed: Seed of each client's orders.
        local: What a client does in a round.
        deployment: What was agreed.
        sizes: Rows of each client, as it says with its answers.
        log: Where each round is noted; a private run notes neither who was asked nor how many, which must
            stay secret.
    """

    grid: Any
    keys: tuple[bytes, ...]
    model: TorchModel
    layout: Layout
    seed: Int[Tensor, " client"]
    local: Local
    deployment: Deployment
    sizes: Int[Tensor, " client"]
    log: Path

    @property
    def clients(self) -> Clients:
        """Who they are; the rows themselves are not here."""
        return Clients(self.sizes[:0], torch.zeros_like(self.sizes), self.sizes)

    def here(self) -> dict[int, int]:
        """Return the node of each client that is there now, by the client's number."""
        number = {key: i for i, key in enumerate(self.keys)}
        known = [(number.get(bytes(n.public_key)), int(n.node_id)) for n in self.grid.get_nodes()]
        return {i: node for i, node in known if i is not None}

    def answers(
        self,
        server: Float[Tensor, " weight"],
        ids: Int[Tensor, " client"],
        round_: int,
        drift: Float[Tensor, "client weight"] | None = None,
    ) -> Answers:
        """Ask those of the clients `ids` that are there, and wait for them as long as was agreed."""
        write(self.model.net, self.layout, server)
        nodes = self.here()
        asked = {
            place: self._message(nodes[i], i, round_, None if drift is None else drift[place])
            for place, i in enumerate(ids.tolist())
            if i in nodes
        }
        updates: dict[int, Tensor] = {}
        for place, reply in answered(self.grid, asked, self.deployment.terms.answer_within):
            if (update := self._update(reply, int(ids[place]), server)) is not None:
                updates[place] = update
        came = sorted(updates)
        self._note(round_, ids, ids[came])
        if not came:
            return Answers(ids[:0], [])
        moved = torch.stack([updates[place] for place in came])
        return Answers(ids[came], [Part(torch.arange(len(came)), moved)])

    def _message(self, node: int, number: int, round_: int, drift: Tensor | None) -> Any:
        told = {"round": round_, "seed": int(self.seed[number])}
        content = content_of(told, None if drift is None else {DRIFT: drift}, self.model)
        within = self.deployment.terms.answer_within
        return flower().app.Message(content, node, "train", ttl=within, group_id=str(round_))

    def _update(self, reply: Any, number: int, like: Tensor) -> Tensor | None:
        """Return what a client sent, or None if it is nothing that can be used."""
        if reply.has_error():
            return None
        try:
            update = tensor_in(reply.content, UPDATE, like)
        except Damaged:
            return None
        size = told_in(reply.content).get(SIZE, 1)
        if not (type(size) is int and 1 <= size <= MOST_EXAMPLES):
            return None
        self.sizes[number] = 1 if self.deployment.is_private else size
        return update

    def _note(self, round_: int, asked: Tensor, came: Tensor) -> None:
        told: dict[str, Any] = {"round": round_}
        if not self.deployment.is_private:
            names = self.deployment.clients
            told["asked"] = [names[i] for i in asked.tolist()]
            told["answered"] = [names[i] for i in came.tolist()]
        with self.log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(told) + "\n")


def answered(grid: Any, messages: Mapping[int, Any], within: float) -> Iterator[tuple[int, Any]]:
    """Yield the replies to messages as they come, each with its message's key, for so many seconds at most."""
    if not messages:
        return
    pushed = grid.push_messages([*messages.values()])
    waiting = {name: key for key, name in zip(messages, pushed, strict=True) if name}
    until = time.monotonic() + within
    while waiting and time.monotonic() < until:
        for reply in grid.pull_messages([*waiting]):
            key = waiting.pop(reply.metadata.reply_to_message_id, None)
            if key is not None:
                yield key, reply
        time.sleep(POLL)
