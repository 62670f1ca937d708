"""Grad-CAM: where a convolutional network looks (Selvaraju et al., 2017)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.nn.functional import interpolate, relu

from fivefold.core.data import Inputs
from fivefold.core.errors import NotMeasurable
from fivefold.core.model import HasNet, Model, with_net
from fivefold.core.text import text
from fivefold.explanation.attribution import Attribution
from fivefold.explanation.output import log_odds, output_names
from fivefold.explanation.question import Question, asked
from fivefold.models.torch import device_of
from fivefold.perturb import Features, in_parts

CELLS = 2**22  # values of images that exist at one time


@dataclass(frozen=True, kw_only=True)
class GradCAM:
    """Channels of the last convolution, weighted by the mean gradient of the score, kept where positive.

    It shows where evidence for an output lies, as coarsely as that layer sees, and not how much there
    is: values do not add up to anything, which is why their unit says so.

    Attributes:
        features: Patches of the image.
    """

    features: Features = Features(grid=8)

    def __call__(
        self, model: Model, x: Inputs, background: Inputs, *, rng: Generator
    ) -> Attribution:
        """Return the map of each output, averaged over patches; `rng` is not used.

        Raises:
            NotMeasurable: No network, no images, or no convolution in the network.
        """
        model = with_net(model, self)
        question = asked(model, x, background, self.features)
        layer = _last_convolution(model)
        size = CELLS // question.x[0].numel()
        rows = torch.arange(len(question.x))
        maps = in_parts(lambda part: _maps(model, layer, question, part), rows, size)
        score, base = _scores(model, question)
        return Attribution(
            values=torch.cat(list(maps)),
            base=base,
            score=score,
            error=None,
            is_converged=torch.ones(len(score)).bool(),
            groups=question.groups,
            outputs=output_names(model.task),
            method="GradCAM",
            unit=text("relative evidence, which does not add up"),
            n_evaluations=2 * len(score) + len(question.background),
        )


def _last_convolution(model: HasNet) -> nn.Module:
    found = [m for m in model.net.modules() if isinstance(m, nn.Conv2d)]
    if model.schema.is_table or not found:
        raise NotMeasurable(
            "GradCAM needs a network with convolutions over images.",
            mend="Use IntegratedGradients or LeverageSHAP.",
        )
    return found[-1]


def _maps(
    model: HasNet, layer: nn.Module, question: Question, rows: Tensor
) -> Float[Tensor, "rows features outputs"]:
    kept: list[Tensor] = []

    def keep(_layer: nn.Module, _given: object, found: Tensor) -> Tensor:
        kept.append(found)
        return found.clone()  # what follows may overwrite it in place

    hook = layer.register_forward_hook(keep)
    x = question.x[rows].to(device_of(model.net)).requires_grad_()  # weights may be frozen
    try:
        answer = model.net(x)
    finally:
        hook.remove()
    score = log_odds(answer) if model.task.is_classification else answer.double()
    height, width = question.x.shape[-2:]
    found: list[Tensor] = []
    for one in score.sum(0):
        slope = torch.autograd.grad(one, kept[-1], retain_graph=True)[0]
        seen = relu((slope.mean((2, 3), keepdim=True) * kept[-1]).sum(1, keepdim=True))
        wide = interpolate(seen, (height, width), mode="bilinear", align_corners=False)
        found.append(_by_patch(wide.detach().cpu(), question))
    return torch.stack(found, -1)


def _by_patch(seen: Float[Tensor, "rows 1 height width"], question: Question) -> Tensor:
    """Return the mean of the map over each patch."""
    channels = question.x.shape[1]
    flat = seen.expand(-1, channels, -1, -1).flatten(1).double()
    n, member = question.groups.n, question.groups.member
    total = torch.zeros(len(flat), n, dtype=torch.float64).index_add_(1, member, flat)
    return total / member.bincount(minlength=n)


def _scores(model: HasNet, question: Question) -> tuple[Tensor, Tensor]:
    answers = [model.predict(v) for v in (question.x, question.background)]
    full, empty = (log_odds(a) if model.task.is_classification else a.double() for a in answers)
    return full, empty.mean(0).expand_as(full)
