"""Run by `test_flower.py` with an interpreter that has Flower: its own messages, carried by hand instead of by processes."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import torch
from torch import Generator, Tensor

from fivefold.core.errors import BadInput
from fivefold.models.save import load_model
from fivefold.privacy.federated import ClientPrivacy, FedAdam, Federated, Krum, Median, seeds_of
from fivefold.privacy.federated.flower import elsewhere, host
from fivefold.privacy.federated.flower.client import answer, client_app
from fivefold.privacy.federated.flower.deployment import PLAN, Deployment, read_plan
from fivefold.privacy.federated.flower.keys import make_keys, public_keys
from fivefold.privacy.federated.flower.wire import content_of
from fivefold.privacy.federated.layout import layout_of
from flower_federation import (
    NAMES,
    SEED,
    Federation,
    deployment,
    federation,
    twin,
    weights,
    written,
)

app: Any = import_module("flwr.app")  # not in the environment of the other tests


@dataclass
class Grid:
    """Carries messages to clients in this process; `wrong` says which node misbehaves how."""

    given: Deployment
    rows: Mapping[int, str]
    keys: tuple[bytes, ...]
    wrong: Mapping[int, str] = field(default_factory=dict[int, str])
    replies: dict[str, Any] = field(default_factory=dict[str, Any])
    told: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def get_nodes(self) -> list[Any]:
        strangers = [SimpleNamespace(node_id=99, public_key=b"nobody knows it")]
        own = [SimpleNamespace(node_id=10 + i, public_key=k) for i, k in enumerate(self.keys)]
        return strangers + [n for n in own if self.wrong.get(n.node_id) != "away"]

    def push_messages(self, messages: list[Any]) -> list[str]:
        names: list[str] = []
        for message in messages:
            name = f"{len(self.replies)}"
            message.metadata.__dict__["_message_id"] = name
            self.replies[name] = self.reply(
                message, self.wrong.get(message.metadata.dst_node_id, "")
            )
            names.append(name)
        return names

    def reply(self, message: Any, wrong: str) -> Any:
        node = message.metadata.dst_node_id
        if wrong == "silent":
            return None
        if wrong == "error":
            return app.Message(app.Error(code=0, reason=""), reply_to=message)
        if wrong == "short":
            return app.Message(
                content_of({"size": 3}, {"update": torch.zeros(2)}), reply_to=message
            )
        if wrong == "liar":
            content = answer(self.given, message.content, {"rows": self.rows[node]})
            content["told"]["size"] = -5
            return app.Message(content, reply_to=message)
        content = answer(self.given, message.content, {"rows": self.rows[node]})
        self.told.append(dict(content["told"]))
        return app.Message(content, reply_to=message)

    def pull_messages(self, names: list[str]) -> list[Any]:
        return [reply for n in names if (reply := self.replies.pop(n, None)) is not None]


def run(made: Federation, step: Federated, folder: Path, **wrong: str) -> tuple[Tensor, Grid]:
    """Return the weights after a run through Flower's messages, and who carried them."""
    given = deployment(step, answer_within=0.2, join_within=0.2)
    written(made, given, folder)
    make_keys(folder, NAMES, "127.0.0.1:1", [])
    assert read_plan(folder / "app" / "federation" / PLAN) == given
    rows = {10 + i: made.rows[name] for i, name in enumerate(NAMES)}
    nodes = {10 + NAMES.index(name): how for name, how in wrong.items()}
    grid = Grid(given, rows, public_keys(folder / "keys", NAMES), nodes)
    return weights(host.trained(grid, given, folder)), grid


def check_same(made: Federation, place: Path) -> None:
    steps = (
        Federated(rounds=3, rate=0.7),
        Federated(rounds=3, rate=1.0, sampling="fixed", proximal=0.3, epochs=2, batch_size="all"),
        Federated(rounds=3, control_variates=True, dropout=0.4),
        Federated(rounds=3, rate=1.0, sampling="fixed", aggregate=Median(), server=FedAdam()),
    )
    for i, step in enumerate(steps):
        found, _ = run(made, step, place / f"same-{i}")
        expected = twin(made, step)
        assert float((found - expected).abs().max()) < 1e-5, step
        assert float((found - weights(made.model)).abs().max()) > 1e-3


def check_silence(made: Federation, place: Path) -> None:
    """Whoever is away, silent, failing or lying about its size is out of the mean; the others weigh by their rows."""
    step = Federated(rounds=2, rate=1.0, sampling="fixed")
    expected = twin(made, step, lambda _, ids: ids != 1)
    for how in ("away", "silent", "error", "short", "liar"):
        found, _ = run(made, step, place / how, south=how)
        assert float((found - expected).abs().max()) < 1e-5, how
    everyone = dict.fromkeys(NAMES, "silent")
    found, _ = run(made, step, place / "none", **everyone)
    assert torch.equal(found, weights(made.model))
    try:
        run(made, step, place / "away-all", **dict.fromkeys(NAMES, "away"))
    except BadInput as error:
        assert "has come" in str(error)
    else:
        raise AssertionError("a run without clients began")


def check_private(made: Federation, place: Path) -> None:
    """The server clips and noises as in one process; a client does not even tell how many rows it has."""
    private = ClientPrivacy(noise_multiplier=1.3, delta=1e-3, clip_norm=0.1)
    step = Federated(rounds=2, rate=0.8, private=private)
    folder = place / "private"
    found, grid = run(made, step, folder)
    assert all(told == {} for told in grid.told)
    assert "north" not in (folder / "rounds.jsonl").read_text()
    assert bool(found.isfinite().all())
    seeded = replace(step, private=replace(private, insecure_seed=7))
    noisy, draws = seeded.sources(len(NAMES), Generator().manual_seed(SEED))
    given, start = grid.given, load_model(folder / "start")
    site = elsewhere.Elsewhere(
        grid=grid, keys=grid.keys, model=start, layout=layout_of(start.net),
        seed=seeds_of(len(NAMES), draws), local=seeded.local(2**40), deployment=given,
        sizes=torch.ones(len(NAMES), dtype=torch.int64), log=folder / "again.jsonl",
    )  # fmt: skip
    again = seeded.serve(site, noisy, weights(start), draws)
    assert float((again - twin(made, seeded)).abs().max()) < 1e-5
    record = host.record(given)
    assert record.claim.privacy["unit"] == "client"
    assert record.claim.privacy["seeded"] is False


def check_ends(made: Federation, place: Path) -> None:
    """A result is never overwritten; too few for a robust rule is an error; a client's errors stay with it."""
    folder = place / "ends"
    step = Federated(rounds=1, rate=1.0, sampling="fixed")
    run(made, step, folder)
    (folder / "final").mkdir()
    grid = Grid(deployment(step), {}, ())
    for attempt, said in (
        (lambda: host.trained(grid, deployment(step), folder), "a result already"),
        (lambda: run(made, replace(step, aggregate=Krum()), place / "krum"), "needs at least"),
    ):
        try:
            attempt()
        except BadInput as error:
            assert said in str(error)
        else:
            raise AssertionError(said)
    rows = folder / "secret.csv"
    rows.write_text("c0,c1,c2,c3,ill\n0,0,0,0,a-secret-value\n")
    client = client_app(folder / "app" / "federation" / PLAN)
    content = content_of({"round": 0, "seed": 1}, model=load_model(folder / "start"))
    message = app.Message(content, 10, "train")
    message.metadata.__dict__["_message_id"] = "m"
    context = SimpleNamespace(node_config={"rows": str(rows)})
    try:
        client(message, context)
    except BadInput as error:
        assert "secret" not in str(error)
        assert error.__cause__ is None
    else:
        raise AssertionError("an unknown class was trained on")


def main() -> None:
    identity = import_module("flwr.supercore.task_identity").TaskIdentity
    identity.run_id = identity.task_id = identity.node_id = 1  # what a process of Flower is told
    elsewhere.POLL = host.POLL = 0.01
    with TemporaryDirectory() as place:
        made = federation(Path(place))
        for check in (check_same, check_silence, check_private, check_ends):
            check(made, Path(place))
    sys.stdout.write("the same\n")


if __name__ == "__main__":
    main()
