"""What an attacker may look at, and what every attack is."""

from typing import NamedTuple, Protocol, runtime_checkable

from jaxtyping import Bool, Float
from torch import Generator, Tensor

from fivefold.core.data import Batch
from fivefold.core.model import Model


class ShadowView(NamedTuple):
    """How sure each shadow model is of each row, and whether it was trained on it."""

    sure: Float[Tensor, "shadow row"]
    inside: Bool[Tensor, "shadow row"]


class View(NamedTuple):
    """The attacked model, and rows of which the first `n_members` were its training data.

    An attack learns from `n_members` nothing but which scores are whose: the rows that it may know to be
    no members are those after them. `sure` is how sure the model is of each row's truth.
    """

    model: Model
    pool: Batch
    n_members: int
    sure: Float[Tensor, " row"]
    shadows: ShadowView | None = None


class Scores(NamedTuple):
    """How likely an attack thinks each row to be a member; any rising scale will do."""

    members: Float[Tensor, " member"]
    others: Float[Tensor, " other"]


@runtime_checkable
class Attack(Protocol):
    """A frozen dataclass that tells members from others."""

    @property
    def name(self) -> str:
        """What it is called in the report."""
        ...

    @property
    def needs_shadows(self) -> bool:
        """Whether it compares the model with shadow models."""
        ...

    def scores(self, view: View, rng: Generator) -> Scores:
        """Return how likely each row is a member.

        Raises:
            NotMeasurable: It cannot attack this kind of model.
        """
        ...


def parted(score: Float[Tensor, " row"], view: View) -> Scores:
    """Return the scores of all rows as those of members and of others."""
    return Scores(score[: view.n_members], score[view.n_members :])


def shadows_of(view: View) -> ShadowView:
    """Return the shadows, known to be there because the attack asked for them."""
    assert view.shadows is not None, "an attack that needs shadows gets them"
    return view.shadows
