"""The server: makes of its clients' updates what it would in one process."""

import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Generator

from fivefold.core.codec import encode
from fivefold.core.errors import BadInput
from fivefold.core.fingerprint import of_json
from fivefold.core.lineage import Claim, Record
from fivefold.models.save import load_model, save_model
from fivefold.models.torch import TorchModel
from fivefold.privacy.federated import seeds_of
from fivefold.privacy.federated.flower.deployment import Deployment, check_deployable, read_plan
from fivefold.privacy.federated.flower.elsewhere import MOST_EXAMPLES, POLL, Elsewhere
from fivefold.privacy.federated.flower.keys import public_keys
from fivefold.privacy.federated.flower.wire import flower
from fivefold.privacy.federated.layout import layout_of, read, write
from fivefold.privacy.federated.suited import check_suited
from fivefold.training.gradient import not_finite

START, FINAL, KEYS, ROUNDS = Path("start"), Path("final"), Path("keys"), Path("rounds.jsonl")
OWNERS = "machines of their own"


def server_app(plan: Path) -> Any:
    """Return the app that the SuperLink runs, in the folder where it was started.

    Raises:
        MissingExtra: Flower is not installed.
    """
    parts, deployment = flower(), read_plan(plan)
    app = parts.serverapp.ServerApp()

    @app.main()
    def main(grid: Any, context: Any) -> None:
        save_model(trained(grid, deployment, Path()), FINAL)

    return app


def trained(grid: Any, deployment: Deployment, place: Path) -> TorchModel:
    """Return the model after all rounds.

    Raises:
        BadInput: There is a result already, no client came, or weights are no longer finite.
    """
    if (place / FINAL).exists():
        raise BadInput(
            "There is a result already; each run asks the clients anew, and a private one spends their privacy again.",
            where=str(FINAL),
            mend="Move it away if that is meant.",
        )
    start = load_model(place / START)
    check_deployable(deployment, start)
    check_suited(start.net)
    step, n_clients = deployment.deployed, len(deployment.clients)
    noisy, draws = step.sources(n_clients, Generator().manual_seed(deployment.terms.seed))
    site = Elsewhere(
        grid=grid,
        keys=public_keys(place / KEYS, deployment.clients),
        model=start.with_net(deepcopy(start.net)),
        layout=layout_of(start.net),
        seed=seeds_of(n_clients, draws),
        local=step.local(MOST_EXAMPLES),
        deployment=deployment,
        sizes=torch.ones(n_clients, dtype=torch.int64),
        log=place / ROUNDS,
    )
    _wait(site, deployment.terms.join_within)
    weights = step.serve(site, noisy, read(start.net, site.layout), draws)
    if not bool(weights.isfinite().all()):
        raise not_finite()
    write(site.model.net, site.layout, weights)
    return site.model.with_lineage((*start.lineage, record(deployment)))


def record(deployment: Deployment) -> Record:
    """Return what the lineage keeps of the run. The rows were never seen, so the names stand for them."""
    step, names = deployment.deployed, list(deployment.clients)
    claim = Claim()
    if step.private is not None:
        plan = step.private.plan(step.rate, step.rounds, len(names))
        claim = Claim(privacy=step.private.record(plan, OWNERS))
    return Record("federated", encode(step), of_json({"clients": names}), claim)


def _wait(site: Elsewhere, within: float) -> None:
    """Wait until all clients are there, or for so long; one is enough to begin."""
    until = time.monotonic() + within
    while len(site.here()) < len(site.keys) and time.monotonic() < until:
        time.sleep(POLL)
    if not site.here():
        raise BadInput(
            "No client of this federation has come within {seconds} seconds.",
            mend="Start the SuperNodes with the keys that are registered.",
            seconds=within,
        )
