"""What an attack on one setting came to."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor


class Outcome(NamedTuple):
    """How near the attack came to each row, and how near guesses come that read no update."""

    attack: Float[Tensor, "client row"]
    chance: Float[Tensor, "client row"]
