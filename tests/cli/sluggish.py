"""A plug-in whose step waits as long as a variable of the environment says so."""

import os
import time
from dataclasses import dataclass

from torch import Generator

from fivefold.core.data import Seen
from fivefold.core.model import Model
from fivefold.core.step import Step


@dataclass(frozen=True, kw_only=True)
class Sluggish(Step):
    """Changes nothing, slowly."""

    def __call__(self, model: Model, seen: Seen, *, rng: Generator) -> Model:
        for _ in range(600):
            if "SLUGGISH" not in os.environ:
                break
            time.sleep(0.1)
        return model
