"""Recurrent layers, unrolled so that what their gates saw is known."""

from typing import Any

from fivefold.training.private.tap import Rule

RECURRENT: dict[Any, Rule] = {}
