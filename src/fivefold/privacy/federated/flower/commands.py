"""The commands that start a federation, in order; the README of a deployment and its test read the same ones."""

import shlex
from collections.abc import Mapping
from typing import NamedTuple

from fivefold.privacy.federated.flower.deployment import Deployment

CONNECTION = "federation"
FIRST_PORT = 9094
SETTINGS: Mapping[str, str] = {
    "FLWR_HOME": "$PWD/flower",  # Flower's own files stay in this folder
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
}


class Commands(NamedTuple):
    """What is typed, each as its words: by whom keys are made, on the server, on each client, on the server."""

    keys: list[str]
    superlink: list[str]
    register: list[list[str]]
    supernodes: list[list[str]]
    start: list[str]
    watch: list[str]


def commands(deployment: Deployment, rows: Mapping[str, str], ports: list[int]) -> Commands:
    """Return the commands for these files of rows, with a local port for each client."""
    address = f"{deployment.terms.host}:{deployment.terms.port}"
    pairs = zip(deployment.clients, ports, strict=True)
    return Commands(
        keys=["python", "make_keys.py"],
        superlink=[
            *(
                "flower-superlink",
                "--host",
                deployment.terms.host,
                "--port",
                str(deployment.terms.port),
            ),
            *("--ssl-ca-certfile", "keys/ca.crt", "--ssl-certfile", "keys/server.crt"),
            *("--ssl-keyfile", "keys/server.key", "--enable-supernode-auth"),
            "--disable-runtime-dependency-installation",
        ],
        register=[
            ["flwr", "supernode", "register", f"keys/{name}.pub", CONNECTION]
            for name in deployment.clients
        ],
        supernodes=[
            [
                *("flower-supernode", "--superlink", address),
                *("--root-certificates", "keys/ca.crt"),
                *("--auth-supernode-private-key", f"keys/{name}.key"),
                *("--port", str(port), "--node-config", f'rows="{rows[name]}"'),
            ]
            for name, port in pairs
        ],
        start=["flwr", "run", "app", CONNECTION],
        watch=["flwr", "list", CONNECTION],
    )


def typed(*lines: list[str]) -> str:
    """Return commands as they are typed in a shell."""
    return "\n".join(shlex.join(line) for line in lines)


def exported() -> str:
    """Return the settings as they are typed in a shell."""
    return "\n".join(f'export {name}="{value}"' for name, value in SETTINGS.items())
