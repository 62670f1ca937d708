"""Every kind of use a weight can have."""

from typing import TypeAlias

from fivefold.training.private.convolved import Convolved
from fivefold.training.private.lookup import Lookup, Tied
from fivefold.training.private.use import Direct, Product

Use: TypeAlias = Direct | Product | Lookup | Tied | Convolved
