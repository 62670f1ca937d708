"""Secure aggregation (Bonawitz et al., 2017): a server learns the sum of its clients' numbers, and none of them.

`Client` and `Server` are plain objects that pass messages; whoever carries these, as objects in one process
or as bytes over a network, gets the same sums. It protects from a server that follows the protocol.
"""

from fivefold.privacy.secure_aggregation.client import Client, Stage
from fivefold.privacy.secure_aggregation.fixed_point import FixedPoint
from fivefold.privacy.secure_aggregation.messages import (
    Delivery,
    Keys,
    Masked,
    Reveal,
    Roster,
    Shares,
    Survivors,
    from_bytes,
    to_bytes,
)
from fivefold.privacy.secure_aggregation.rule import SecureAggregation
from fivefold.privacy.secure_aggregation.server import Server, Turn

__all__ = [
    "Client",
    "Delivery",
    "FixedPoint",
    "Keys",
    "Masked",
    "Reveal",
    "Roster",
    "SecureAggregation",
    "Server",
    "Shares",
    "Stage",
    "Survivors",
    "Turn",
    "from_bytes",
    "to_bytes",
]
