"""All verbs, in the order in which the help lists them: importing this gives the command its verbs."""

from fivefold.cli.app import app

from fivefold.cli.verbs import life, audit, serve, federate, runs  # isort: skip - the order of the help

__all__ = ["app", "audit", "federate", "life", "runs", "serve"]
