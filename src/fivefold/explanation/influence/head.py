"""The last layer of a network, or the whole of a linear model: the features it reads, and its coefficients."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fivefold.core.data import Inputs, as_tensor
from fivefold.core.errors import NotMeasurable
from fivefold.core.model import Embeds, HasNet, Model
from fivefold.explanation.linear import read_line
from fivefold.explanation.preparation import last_of
from fivefold.models import SklearnModel


class Head(NamedTuple):
    """`outputs = features(x) @ weight.T + bias`, and the penalty that its training is known to add.

    Attributes:
        features: Turns examples into what the coefficients multiply.
        weight: One line of coefficients per output.
        bias: What is added.
        penalty: Second derivative that the penalty adds along each coefficient.
        has_bias: Whether what is added was learned too.
    """

    features: Callable[[Inputs], Float[Tensor, "batch feature"]]
    weight: Float[Tensor, "outputs feature"]
    bias: Float[Tensor, " outputs"]
    penalty: float
    has_bias: bool

    def read(self, x: Inputs) -> Float[Tensor, "batch feature_and_one"]:
        """Return the features, and a one behind them if there is a bias to learn."""
        found = self.features(x)
        return torch.cat([found, torch.ones(len(found), 1).double()], 1) if self.has_bias else found

    def outputs(self, x: Inputs) -> Float[Tensor, "batch outputs"]:
        """Return what the model answers before softmax."""
        return self.features(x) @ self.weight.T + self.bias


def head_of(model: Model) -> Head:
    """Return the last layer.

    Raises:
        NotMeasurable: It is not linear, or nobody knows which it is.
    """
    if isinstance(model, SklearnModel):
        return _of_estimator(model)
    last = _last(model)
    if not (isinstance(model, Embeds) and isinstance(last, nn.Linear)):
        raise NotMeasurable(
            "The last layer of a {model} is not known, or not linear.",
            mend="Use a network that ends in a linear layer, or a linear model; TRAK looks at all layers.",
            model=type(model).__name__,
        )
    embeds: Embeds = model
    weight = last.weight.detach().cpu().double()
    own = dict(last.named_parameters()).get("bias")
    bias = torch.zeros(len(weight)).double() if own is None else own.detach().cpu().double()
    return Head(lambda x: embeds.embed(x).double(), weight, bias, 0.0, own is not None)


def _last(model: Model) -> nn.Module | None:
    if isinstance(model, HasNet) and isinstance(model.net, nn.Sequential) and len(model.net) > 1:
        return model.net[-1]
    return None


def _of_estimator(model: SklearnModel) -> Head:
    last, line = last_of(model), read_line(model)
    penalty = _penalty(last)
    weight, bias = line.weight, line.bias
    if model.task.is_classification:
        names = [str(c) for c in model.task.classes]
        found = [str(c) for c in last.classes_.tolist()]
        order = [found.index(n) for n in names] if set(found) == set(names) else None
        if (
            len(weight) == 1
        ):  # one line w for two classes is -w/2 and w/2, each with twice its penalty
            weight, bias = torch.cat([-weight, weight]) / 2, torch.cat([-bias, bias]) / 2
            penalty *= 2
        if order is not None:
            weight, bias = weight[order], bias[order]
    return Head(lambda x: line.rows(as_tensor(x)), weight, bias, penalty, bool(last.fit_intercept))


def _penalty(last: Any) -> float:
    """Return the second derivative of the penalty of a fitted estimator; its loss is a sum over rows."""
    name = type(last).__name__
    if name == "LinearRegression":
        return 0.0
    if name == "Ridge" and isinstance(last.alpha, int | float):
        return 2.0 * float(last.alpha)
    is_plain = name == "LogisticRegression" and last.class_weight is None and last.solver != "liblinear"  # fmt: skip
    if is_plain and last.penalty != "l1" and last.penalty != "elasticnet" and not last.l1_ratio:
        return 0.0 if last.penalty is None else 1.0 / float(last.C)
    raise NotMeasurable(
        "What {model} minimises with these settings is not a known smooth loss.",
        mend="Use LinearRegression, Ridge, or LogisticRegression with the L2 penalty and no class weights.",
        model=name,
    )
