"""What every glass box is: something that answers, tells how, and can be drawn."""

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from fivefold.core.schema import Schema
from fivefold.core.text import Language, Text

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Glass(Protocol):
    """A fitted model that a person can read."""

    def predict(self, x: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows outputs"]:
        """Return its scores."""
        ...

    def lines(self, outputs: tuple[str, ...], unit: str, language: Language) -> list[str]:
        """Return what it does, in words."""
        ...

    def draw(self, ax: "Axes", output: int, column: str, unit: str, language: Language) -> None:
        """Draw it."""
        ...

    def pictures(self) -> list[str]:
        """Return the columns that deserve a picture of their own; one empty name if it is one picture."""
        ...


@runtime_checkable
class Form(Protocol):
    """A frozen dataclass that fits one kind of glass box."""

    @property
    def name(self) -> Text:
        """What it is, with its settings."""
        ...

    def fit(
        self,
        schema: Schema,
        x: Float[Tensor, "rows columns"],
        scores: Float[Tensor, "rows outputs"],
    ) -> Glass:
        """Return the glass box nearest to these scores."""
        ...
