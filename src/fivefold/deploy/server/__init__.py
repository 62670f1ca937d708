"""Serve a model safely: the Open Inference Protocol v2, with guards around it."""

from fivefold.deploy.server.app import App
from fivefold.deploy.server.batcher import Batcher
from fivefold.deploy.server.keys import make_key, read_keys
from fivefold.deploy.server.listen import check_address, opened, serve
from fivefold.deploy.server.personal import PersonalFilter
from fivefold.deploy.server.served import Served, app_of
from fivefold.deploy.server.settings import Settings

__all__ = [
    "App",
    "Batcher",
    "PersonalFilter",
    "Served",
    "Settings",
    "app_of",
    "check_address",
    "make_key",
    "opened",
    "read_keys",
    "serve",
]
