"""The explainers that have a name, as a user types it."""

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias, get_args

from fivefold.core.errors import BadInput
from fivefold.explanation.exact import ExactShapley
from fivefold.explanation.explainer import Explainer
from fivefold.explanation.grad_cam import GradCAM
from fivefold.explanation.gradients import IntegratedGradients
from fivefold.explanation.leverage import LeverageSHAP
from fivefold.explanation.lime import LIME, TabularLIME
from fivefold.explanation.linear import LinearSHAP
from fivefold.explanation.occlusion import Occlusion
from fivefold.explanation.odd_kernel import OddKernelSHAP
from fivefold.explanation.saliency import InputXGradient, SmoothGrad
from fivefold.explanation.trees import TreeSHAP
from fivefold.perturb import Features

Method: TypeAlias = Literal[
    "auto", "exact", "leverage", "odd-kernel", "trees", "linear", "lime", "tabular-lime",
    "gradients", "smooth-gradients", "input-x-gradient", "grad-cam", "occlusion",
]  # fmt: skip
NAMES: tuple[Method, ...] = get_args(Method)
METHODS: Mapping[str, Callable[[Features], Explainer]] = {
    "exact": lambda features: ExactShapley(features=features),
    "leverage": lambda features: LeverageSHAP(features=features),
    "odd-kernel": lambda features: OddKernelSHAP(features=features),
    "trees": lambda features: TreeSHAP(features=features),
    "linear": lambda features: LinearSHAP(features=features),
    "lime": lambda features: LIME(features=features),
    "tabular-lime": lambda _: TabularLIME(),
    "gradients": lambda features: IntegratedGradients(features=features),
    "smooth-gradients": lambda features: SmoothGrad(features=features),
    "input-x-gradient": lambda features: InputXGradient(features=features),
    "grad-cam": lambda features: GradCAM(features=features),
    "occlusion": lambda features: Occlusion(features=features),
}
BY_GRADIENT = ("gradients", "smooth-gradients", "input-x-gradient")


def explainer_of(name: str, features: Features) -> Explainer:
    """Return the explainer of that name, with its defaults.

    Raises:
        BadInput: There is none.
    """
    if name not in METHODS:
        raise BadInput(
            "There is no method {name}.",
            where="method",
            mend="There are: {known}.",
            name=name,
            known=", ".join(NAMES),
        )
    return METHODS[name](features)
