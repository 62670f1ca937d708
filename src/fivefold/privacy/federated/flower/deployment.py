"""What is deployed, and which runs a deployment cannot carry out honestly."""

import json
import re
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from fivefold.core.codec import decode, encode
from fivefold.core.errors import BadRecipe
from fivefold.core.limits import Count, Natural, Positive
from fivefold.core.model import Model
from fivefold.privacy.federated import Federated
from fivefold.privacy.federated.aggregate import Mean
from fivefold.privacy.federated.private import check_delta
from fivefold.privacy.plan import safe_delta

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}[a-z0-9]|[a-z0-9]")
FEWEST = 2
PLAN = "plan.json"


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What server and clients agree on beside the step.

    Attributes:
        clients: Names of all clients, in order.
        seed: Decides who is asked and the orders of rows, if the run is not private; a private run draws
            them in secret.
        host: Address at which the server listens.
        port: Port at which the server listens.
        join_within: Seconds for which clients are waited for before the first round.
        answer_within: Seconds after which a client that was asked in a round has dropped out of it.
    """

    clients: tuple[str, ...]
    seed: Natural = 0
    host: str = "127.0.0.1"
    port: Count = 8000
    join_within: Positive = 600.0
    answer_within: Positive = 600.0


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A federated run between machines.

    Attributes:
        step: What is done. `clients` and `dropout` of it are for simulation: here the clients are those
            named, with files of their own, and who does not answer has dropped out.
        terms: Who takes part, where and how long is waited.
    """

    step: Federated
    terms: Terms

    @property
    def clients(self) -> tuple[str, ...]:
        """Names of all clients, in order."""
        return self.terms.clients

    @property
    def deployed(self) -> Federated:
        """The step without what only a simulation has."""
        return replace(self.step, dropout=0.0)

    @property
    def is_private(self) -> bool:
        """Whether the run makes a claim."""
        return self.step.private is not None


def check_deployable(deployment: Deployment, model: Model) -> None:
    """Check that what the run says of itself would be true.

    Raises:
        BadInput: The rule of the server needs more clients than are ever asked.
        BadRecipe: Names are missing or ambiguous, or the claim of privacy would not hold.
    """
    _check_names(deployment.clients)
    step, n = deployment.step, len(deployment.clients)
    if step.secure is not None:
        raise BadRecipe(
            "Clients on machines of their own would have to mask their updates there, and these do not.",
            where="secure",
            mend="Leave it out, or train the clients in one process.",
        )
    if not isinstance(step.aggregate, Mean) and step.sampling == "fixed":
        step.aggregate.combine(torch.zeros(max(1, round(step.rate * n)), 1))
    if step.private is not None:
        _check_private(step, n, model)


def _check_names(names: tuple[str, ...]) -> None:
    wrong = [n for n in names if not NAME.fullmatch(n)]
    if wrong:
        raise BadRecipe(
            "{name} cannot be the name of a client.",
            where="clients",
            mend="Use at most 32 small letters, digits and hyphens.",
            name=ascii(wrong[0])[:60],
        )
    if len(set(names)) < max(len(names), FEWEST):
        raise BadRecipe(
            "A federation needs two or more clients with different names.",
            where="clients",
            mend="Name each client once.",
        )


def _check_private(step: Federated, n_clients: int, model: Model) -> None:
    private = step.private
    assert private is not None
    if private.insecure_seed is not None:
        raise BadRecipe(
            "Every client is sent the plan of the run, so each could remove noise that comes from its seed.",
            where="private.insecure_seed",
            mend="Leave it out.",
        )
    if private.delta is None:
        raise BadRecipe(
            "Nobody knows how many rows the clients hold, so delta cannot follow from it.",
            where="private.delta",
            mend="Write it down, far below 1 / clients: at most {most}.",
            most=safe_delta(n_clients),
        )
    if private.ledger is not None:
        raise BadRecipe(
            "The ledger of the recipe would not be on the server, so this run would not be counted.",
            where="private.ledger",
            mend="Leave it out, and keep account of the starts of this federation by hand.",
        )
    check_delta(private.plan(step.rate, step.rounds, n_clients), n_clients)
    plain = [r.name for r in model.lineage if r.claim.reads_data and not r.claim.privacy]
    if plain or not model.lineage:
        raise BadRecipe(
            "The model to begin with has read data plainly or has no history ({steps}), so nothing would be guaranteed.",
            where="private",
            mend="Begin with a fresh model whose schema declares ranges, centres and scales.",
            steps=", ".join(plain),
        )


def write_plan(deployment: Deployment, path: Path) -> None:
    """Write what is deployed, every default written out."""
    told = {"step": _encoded(deployment.step), "terms": _encoded(deployment.terms)}
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def read_plan(path: Path) -> Deployment:
    """Return what `write_plan` wrote.

    Raises:
        BadRecipe: Anything in it is unknown or of the wrong type.
    """
    table = json.loads(path.read_text(encoding="utf-8"))
    return Deployment(
        step=decode(table.get("step"), Federated, where="step"),
        terms=decode(table.get("terms"), Terms, where="terms"),
    )


def _encoded(part: Federated | Terms) -> dict[str, Any]:
    """Return a table in which None is said where leaving it out would mean something else."""
    none = {f.name for f in fields(part) if getattr(part, f.name) is None and f.default is not None}
    return encode(part) | dict.fromkeys(none)
