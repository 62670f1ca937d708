"""Anything that predicts, as a few small protocols."""

from typing import Protocol, Self, runtime_checkable

from jaxtyping import Float
from torch import Generator, Tensor, nn

from fivefold.core.data import Inputs
from fivefold.core.errors import NotMeasurable, needs_net
from fivefold.core.lineage import Lineage
from fivefold.core.schema import Schema
from fivefold.core.task import Task


@runtime_checkable
class Model(Protocol):
    """A predictor seen from outside."""

    @property
    def task(self) -> Task:
        """What it predicts."""
        ...

    @property
    def schema(self) -> Schema:
        """What it eats: the user's own columns or pixels."""
        ...

    @property
    def lineage(self) -> Lineage:
        """What was done to it, with which data."""
        ...

    def predict(self, x: Inputs) -> Float[Tensor, "batch outputs"]:
        """Return logits (classification) or numbers (regression), on the CPU, without gradients."""
        ...

    def with_lineage(self, lineage: Lineage) -> Self:
        """Return the same predictor with another history."""
        ...


@runtime_checkable
class HasNet(Model, Protocol):
    """A model whose network we hold, so that gradients and weights are open to us."""

    @property
    def net(self) -> nn.Module:
        """The network, preparation of inputs included: `net(x)` gives logits."""
        ...

    def with_net(self, net: nn.Module) -> Self:
        """Return the same model around another network."""
        ...


@runtime_checkable
class Embeds(Model, Protocol):
    """A model that shows its last features."""

    def embed(self, x: Inputs) -> Float[Tensor, "batch feature"]:
        """Return the features that the last layer reads."""
        ...


@runtime_checkable
class Architecture(Protocol):
    """A frozen dataclass that builds a fresh network."""

    def build(self, schema: Schema, task: Task, rng: Generator) -> nn.Module:
        """Return an untrained network for these inputs and this task; weights drawn from `rng`."""
        ...


@runtime_checkable
class HasArchitecture(HasNet, Protocol):
    """A model whose network can be built anew from nothing."""

    @property
    def architecture(self) -> Architecture:
        """How to build a fresh network of the same kind."""
        ...


def with_net(model: Model, wanted_by: object) -> HasNet:
    """Return `model`, known to hold a network.

    Raises:
        NotMeasurable: It is a black box.
    """
    if isinstance(model, HasNet):
        return model
    raise needs_net(type(wanted_by).__name__, type(model).__name__)


def with_architecture(model: Model, wanted_by: object) -> HasArchitecture:
    """Return `model`, known to be buildable anew.

    Raises:
        NotMeasurable: Nobody knows how to build another one like it.
    """
    if isinstance(model, HasArchitecture):
        return model
    raise NotMeasurable(
        "{step} trains more models of the same kind, and a {model} does not say how it is built.",
        mend="Give the model an architecture (models.MLP, models.ConvNet, ...).",
        step=type(wanted_by).__name__,
        model=type(model).__name__,
    )
