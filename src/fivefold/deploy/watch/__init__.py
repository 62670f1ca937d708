"""Watching a model that is served: evidence from production, a live page, and numbers for Prometheus."""

from fivefold.deploy.watch.judge import judge_live
from fivefold.deploy.watch.keeper import Keeper
from fivefold.deploy.watch.live import LIVE, Live, read_live
from fivefold.deploy.watch.monitor import Monitor
from fivefold.deploy.watch.reference import REFERENCE, Reference, read_reference, reference_paper
from fivefold.deploy.watch.routes import routes
from fivefold.deploy.watch.shipped import check_digest, run_of
from fivefold.deploy.watch.subject import Subject, Window

__all__ = [
    "LIVE",
    "REFERENCE",
    "Keeper",
    "Live",
    "Monitor",
    "Reference",
    "Subject",
    "Window",
    "check_digest",
    "judge_live",
    "read_live",
    "read_reference",
    "reference_paper",
    "routes",
    "run_of",
]
