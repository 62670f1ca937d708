"""Federated learning between machines, on Flower (Beutel et al., 2020): clients train as in one process, elsewhere.

Flower carries messages between a SuperLink and one SuperNode per client. What clients do with their rows and
what the server makes of their updates is the code of `Federated` in one process; only who answers may differ.
"""

from fivefold.privacy.federated.flower.client import client_app
from fivefold.privacy.federated.flower.deployment import Deployment, Terms
from fivefold.privacy.federated.flower.folder import share_out, write_deployment
from fivefold.privacy.federated.flower.host import server_app

__all__ = ["Deployment", "Terms", "client_app", "server_app", "share_out", "write_deployment"]
