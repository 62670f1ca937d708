"""The folder of a deployment: an app for Flower, the model to begin with, a script for keys, and how to start it."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from string import Template

from torch import Generator

from fivefold.core.data import Batch, as_tensor
from fivefold.core.errors import BadInput
from fivefold.core.model import HasNet
from fivefold.core.text import Language, Text, text
from fivefold.models.save import save_model
from fivefold.models.torch import TorchModel
from fivefold.privacy.federated import Federated
from fivefold.privacy.federated.flower.commands import FIRST_PORT, commands, exported, typed
from fivefold.privacy.federated.flower.deployment import (
    PLAN,
    Deployment,
    check_deployable,
    write_plan,
)
from fivefold.privacy.federated.flower.rows import write_rows
from fivefold.privacy.federated.partition import clients_of
from fivefold.privacy.federated.suited import check_suited

FLOWER = "1.42"
SERVER = '''"""What the SuperLink runs; the plan beside it says what is done."""

from pathlib import Path

from fivefold.privacy.federated.flower import server_app

app = server_app(Path(__file__).with_name("{plan}"))
'''
KEYS = '''"""Keys and certificates: `make_keys.py` alone for a trial on one machine, or `server HOST ...`, or `client NAME`."""

import sys
from pathlib import Path

from fivefold.privacy.federated.flower.keys import make_keys

make_keys(Path(__file__).parent, {names!r}, {address!r}, sys.argv[1:])
'''
APP = """[project]
name = "federation"
version = "1.0.0"
description = "A federated run of Fivefold"
license = "LicenseRef-Proprietary"
dependencies = []  # the environments that run it have what it needs; nothing is installed at run time

[tool.flwr.app]
publisher = "fivefold"

[tool.flwr.app.components]
serverapp = "federation.server_app:app"
clientapp = "federation.client_app:app"
"""


def write_deployment(
    deployment: Deployment,
    model: TorchModel,
    folder: Path,
    *,
    rows: Mapping[str, str] | None = None,
    language: Language = "en",
) -> None:
    """Write a folder that can be started.

    Args:
        deployment: What is deployed.
        model: The model to begin with: with its preparation, whose numbers every client is sent.
        folder: Where; it must not hold a deployment yet.
        rows: The file of each client, for the commands in the README; by default `clients/NAME.csv`.
        language: Language of the README.

    Raises:
        BadInput: A layer cannot be saved or trained by clients apart, or there is something in `folder`.
        BadRecipe: What the run says of itself would not be true.
    """
    check_deployable(deployment, model)
    check_suited(model.net)
    if (folder / "app").exists() or (folder / "start").exists():
        raise BadInput(
            "There is a deployment already.", where=str(folder), mend="Choose another folder."
        )
    package = folder / "app" / "federation"
    package.mkdir(parents=True)
    write_plan(deployment, package / PLAN)
    _write(package / "__init__.py", '"""The two ends of this federation."""\n')
    _write(package / "server_app.py", SERVER.format(plan=PLAN))
    client = SERVER.replace("SuperLink", "SuperNodes").replace("server_app", "client_app")
    _write(package / "client_app.py", client.format(plan=PLAN))
    _write(folder / "app" / "pyproject.toml", APP)
    address = f"{deployment.terms.host}:{deployment.terms.port}"
    _write(folder / "make_keys.py", KEYS.format(names=deployment.clients, address=address))
    save_model(model, folder / "start")
    files = rows or {name: f"clients/{name}.csv" for name in deployment.clients}
    _write(folder / "README.md", _readme(deployment, model, files, language))


def share_out(
    step: Federated, model: HasNet, data: Batch, folder: Path, rng: Generator
) -> dict[str, str]:
    """Write the rows of each simulated client of `step` into a file of its own, and return the files by name.

    The names are `client-1` and so on; the paths are relative to `folder`.
    """
    as_tensor(data.x)
    owner = step.clients.owner(data, model.schema, model.task.is_classification, rng)
    clients = clients_of(owner)
    (folder / "clients").mkdir(parents=True, exist_ok=True)
    files: dict[str, str] = {}
    for i, (start, size) in enumerate(
        zip(clients.start.tolist(), clients.size.tolist(), strict=True)
    ):
        own, name = data.take(clients.rows[start : start + size]), f"client-{i + 1}"
        path = write_rows(own, model.schema, model.task, folder / "clients" / name)
        files[name] = path.relative_to(folder).as_posix()
    return files


def _readme(
    deployment: Deployment, model: TorchModel, rows: Mapping[str, str], language: Language
) -> str:
    ports = [FIRST_PORT + i for i in range(len(deployment.clients))]
    told = commands(deployment, rows, ports)
    template = Path(__file__).with_name(f"readme.{language}.md").read_text(encoding="utf-8")
    return Template(template).substitute(
        n=len(deployment.clients),
        version=_version(),
        flower=FLOWER,
        settings=exported(),
        keys=typed(told.keys),
        superlink=typed(told.superlink),
        register=typed(*told.register),
        supernodes=typed(*told.supernodes),
        start=typed(told.start),
        watch=typed(told.watch),
        target=model.task.target or "y",
        answer=f"{deployment.terms.answer_within:g}",
        privacy=_privacy(deployment).words(language),
    )


def _privacy(deployment: Deployment) -> Text:
    private, step = deployment.step.private, deployment.deployed
    if private is None:
        return text(
            "Without a privacy claim the final model may reveal rows of the clients, like any plain training."
        )
    plan = private.plan(step.rate, step.rounds, len(deployment.clients))
    return text(
        "The final model and those of all rounds hide, up to epsilon {epsilon} at delta {delta}, whether one client took part. The server itself, its log and its database, and who watches the network see who was asked and are not covered. Each new start spends as much again.",
        epsilon=round(plan.epsilon(), 3),
        delta=plan.delta,
    )


def _version() -> str:
    try:
        return version("fivefold")
    except PackageNotFoundError:
        return ""


def _write(path: Path, content: str) -> None:
    path.write_text(content, encoding="utf-8")
