"""What the monitor remembers at one moment."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from fivefold.deploy.watch.totals import Totals


class View(NamedTuple):
    """What the monitor remembers, as of `now`; copies that nobody changes.

    Every request since `since` is in it.
    """

    now: float
    started: float
    since: float
    requests: Float[Tensor, "request number"]
    examples: Float[Tensor, "row number"]
    pairs: list[tuple[float, float]]
    n_waiting: int
    totals: Totals
