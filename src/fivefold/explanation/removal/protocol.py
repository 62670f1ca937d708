"""How a hidden feature is replaced (Covert, Lundberg and Lee, 2021, "Explaining by removing")."""

from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from fivefold.core.errors import NotMeasurable
from fivefold.core.schema import Schema
from fivefold.perturb import Behind


@runtime_checkable
class Removal(Protocol):
    """A frozen dataclass that says what stands where a feature is hidden."""

    def behind(self, schema: Schema, background: Float[Tensor, "background ..."]) -> Behind:
        """Return what stands behind hidden features, fitted to background rows.

        Raises:
            BadInput: Its settings do not fit these inputs.
            NotMeasurable: Inputs of this kind cannot be hidden this way.
        """
        ...


def refuse_gaps_and_categories(schema: Schema, background: Tensor, method: str) -> None:
    """Refuse inputs that are not tables of numbers without gaps.

    Raises:
        NotMeasurable: They are not.
    """
    if not schema.is_table:
        raise NotMeasurable(
            "{method} fits a distribution of the columns of a table, and these inputs have none.",
            mend="Use MarginalRemoval, BaselineRemoval, or BlurRemoval for images.",
            method=method,
        )
    refused = [
        c.name
        for i, c in enumerate(schema.columns)
        if c.is_category or c.is_optional or bool(background[:, i].isnan().any())
    ]
    if refused:
        raise NotMeasurable(
            "{method} is made for numbers without gaps; {columns} have categories or missing values.",
            mend="Use NeighbourRemoval, which knows both.",
            method=method,
            columns=", ".join(refused[:5]),
        )


def refuse_few(background: Tensor, least: int, method: str) -> None:
    """Refuse a background from which no dependence can be learnt.

    Raises:
        NotMeasurable: It has fewer than `least` rows.
    """
    if len(background) < least:
        raise NotMeasurable(
            "{method} learns from the background how columns depend on one another; {n} rows are too few.",
            mend="Give at least {least} rows, or use MarginalRemoval.",
            method=method,
            n=len(background),
            least=least,
        )
