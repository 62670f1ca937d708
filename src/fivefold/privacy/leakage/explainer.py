"""What an explanation is to an attacker, and the plainest one: the input gradient (Simonyan et al., 2014)."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from fivefold.core.data import Inputs
from fivefold.core.errors import NotMeasurable, needs_net
from fivefold.core.model import HasNet, Model, with_net
from fivefold.models.torch import CHUNK, device_of
from fivefold.privacy.attacks.signal import confidence


class Explanation(Protocol):
    """How much each feature moved an answer."""

    @property
    def values(self) -> Float[Tensor, "rows features outputs"]:
        """Attributions for each output, or for the predicted one alone."""
        ...


@runtime_checkable
class Explainer(Protocol):
    """A frozen dataclass that explains answers; every explainer of `fivefold.explanation` is one."""

    def __call__(
        self, model: Model, x: Inputs, background: Inputs, *, rng: Generator
    ) -> Explanation:
        """Return the explanations of `x`, where `background` stands for "not known".

        Raises:
            NotMeasurable: This kind of model cannot be explained this way.
        """
        ...


class Slopes(NamedTuple):
    """An explanation of the predicted outputs alone."""

    values: Float[Tensor, "rows features 1"]


@dataclass(frozen=True, kw_only=True)
class InputGradient:
    """How the log-odds of the predicted class, or the number, changes with each input, in units of the schema."""

    def __call__(self, model: Model, x: Inputs, background: Inputs, *, rng: Generator) -> Slopes:
        """Return the gradients; `background` and `rng` are not used.

        Raises:
            NotMeasurable: The model is a black box, or its inputs are not numbers.
        """
        model = with_net(model, self)
        if not (isinstance(x, Tensor) and x.is_floating_point()) or model.schema.is_text:
            raise NotMeasurable(
                "Gradients of inputs need rows of numbers, and these inputs are none.",
                mend="Name an explainer made for them.",
            )
        unit = model.schema.space().unit
        slopes = torch.cat([_slopes(model, part) for part in x.split(CHUNK)])
        return Slopes((slopes * unit).flatten(1)[..., None])


def _slopes(model: HasNet, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows ..."]:
    with torch.enable_grad():
        x = x.detach().to(device_of(model.net)).requires_grad_()
        output = model.net(x)
        if not output.requires_grad:
            raise needs_net(InputGradient.__name__, type(model).__name__)
        is_class = model.task.is_classification
        score = confidence(output, output.argmax(1), model.task) if is_class else output[:, 0]
        return torch.autograd.grad(score.sum(), x)[0].cpu()
