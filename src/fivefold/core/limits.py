"""Types of hyperparameters that carry their range, so that a recipe is checked before anything runs."""

from typing import Annotated, TypeAlias

from annotated_types import Ge, Gt, Le, Lt

Count: TypeAlias = Annotated[int, Ge(1)]
Natural: TypeAlias = Annotated[int, Ge(0)]
Positive: TypeAlias = Annotated[float, Gt(0)]
NonNegative: TypeAlias = Annotated[float, Ge(0)]
Share: TypeAlias = Annotated[float, Ge(0), Le(1)]
Probability: TypeAlias = Annotated[float, Gt(0), Lt(1)]
