"""Shapley values of linear models in closed form (Strumbelj and Kononenko, 2014)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from fivefold.core.data import Inputs
from fivefold.core.errors import NotMeasurable
from fivefold.core.model import HasNet, Model
from fivefold.core.schema import Schema
from fivefold.core.text import Text
from fivefold.explanation.attribution import Attribution
from fivefold.explanation.preparation import Array, last_of, preparation
from fivefold.explanation.question import AS_IT_IS, asked, refuse_conditional
from fivefold.explanation.removal import Removal
from fivefold.explanation.sums import (
    AGAINST_REST,
    BEFORE_SOFTMAX,
    LOG_ODDS,
    LOG_TARGET,
    TARGET,
    Spread,
    Sums,
    attribution_of,
    check_sums,
)
from fivefold.models import SklearnModel
from fivefold.models.prepare import PrepareImage, PrepareTable
from fivefold.models.torch import device_of
from fivefold.perturb import Features

NUMBERS = (
    *("LinearRegression", "Ridge", "RidgeCV", "Lasso", "LassoCV", "ElasticNet", "ElasticNetCV"),
    *("SGDRegressor", "HuberRegressor", "BayesianRidge", "ARDRegression", "LinearSVR"),
    *("QuantileRegressor", "TheilSenRegressor", "Lars", "LassoLars", "OrthogonalMatchingPursuit"),
)
LOGARITHMS = ("PoissonRegressor", "GammaRegressor")
CLASSES = ("LogisticRegression", "LogisticRegressionCV", "SGDClassifier", "LinearDiscriminantAnalysis")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class LinearSHAP:
    """Exact Shapley values of linear models: each coefficient times (value - mean of the background).

    Linear regressions and classifiers of scikit-learn, also after steps that treat each column by
    itself, and networks of linear layers alone. Explained is what is linear: the log-odds of two
    classes, the scores before softmax of more, or the number; the unit says which.

    Attributes:
        features: What counts as one feature.
        removal: How a hidden feature is replaced: by rows as they are, whatever is known (MarginalRemoval
            without a summary, BaselineRemoval); others are refused.
    """

    features: Features = Features()
    removal: Removal = AS_IT_IS

    def evaluations(self, n: int, rows: int, background: int) -> int:
        """Return how many inputs the model will answer."""
        return rows + background

    def __call__(
        self, model: Model, x: Inputs, background: Inputs, *, rng: Generator
    ) -> Attribution:
        """Return the exact values; `rng` is not used.

        Raises:
            NotMeasurable: The model is not linear, or not of a known kind.
        """
        line = read_line(model)
        question = asked(model, x, background, self.features, removal=self.removal)
        refuse_conditional(question, "LinearSHAP")
        own, behind = line.rows(question.x), line.rows(question.background)
        mean = behind.mean(0)
        member = question.groups.member[line.source]
        parts = torch.zeros(len(own), question.groups.n, len(line.weight), dtype=torch.float64)
        parts.index_add_(1, member, (own - mean)[..., None] * line.weight.T)
        base = line.weight @ mean + line.bias
        sums = Sums(parts, base, line.unit, line.spread)
        check_sums(sums, line.raw(question.x), line.raw(question.background))
        return attribution_of(sums, model, question, "LinearSHAP")


class Line(NamedTuple):
    """A linear model: what its rows are prepared to, and its coefficients.

    Attributes:
        weight: Coefficients of each sum.
        bias: What is added.
        rows: Turn examples into what the coefficients multiply.
        source: Value of the example that each of these is made of.
        raw: What the model itself says of examples.
        unit: What one unit of the sums is.
        spread: How the sums become one score per class.
    """

    weight: Float[Tensor, "sums values"]
    bias: Float[Tensor, " sums"]
    rows: Callable[[Tensor], Float[Tensor, "batch values"]]
    source: Int[Tensor, " values"]
    raw: Callable[[Tensor], Array]
    unit: Text
    spread: Spread


def is_linear(model: Model) -> bool:
    """Whether a model is linear, of a kind that is read here."""
    try:
        read_line(model)
    except NotMeasurable:
        return False
    return True


def read_line(model: Model) -> Line:
    """Return the coefficients of a model.

    Raises:
        NotMeasurable: It is not linear, or not of a known kind.
    """
    if isinstance(model, SklearnModel):
        return _of_estimator(model)
    if isinstance(model, HasNet):
        return _of_net(model)
    raise _not_linear(type(model).__name__)


def _of_estimator(model: SklearnModel) -> Line:
    unit, spread, answer = _meaning(last_of(model))
    before = preparation(model)
    weight = np.atleast_2d(np.asarray(before.last.coef_, dtype=np.float64))
    bias = np.broadcast_to(np.asarray(before.last.intercept_, dtype=np.float64), len(weight))

    def rows(x: Tensor) -> Tensor:
        return torch.from_numpy(np.asarray(before(model.read(x)), dtype=np.float64))

    def raw(x: Tensor) -> Array:
        found = np.asarray(answer(before(model.read(x))), dtype=np.float64)
        return found.reshape(len(x), -1)

    source = torch.from_numpy(before.source)
    weights = torch.from_numpy(weight), torch.from_numpy(bias.copy())
    return Line(*weights, rows, source, raw, unit, spread)


def _meaning(last: Any) -> tuple[Text, Spread, Callable[[Array], Array]]:
    """Return what the sums of an estimator mean, and how it says them itself."""
    name = type(last).__name__
    if name in NUMBERS:
        return TARGET, "each", last.predict
    if name in LOGARITHMS:
        return LOG_TARGET, "each", lambda x: np.log(last.predict(x))
    is_sgd = name == "SGDClassifier"
    if name not in CLASSES or (is_sgd and last.loss != "log_loss"):
        raise _not_linear(name)
    if len(last.classes_) == 2:
        return LOG_ODDS, "opposite", last.decision_function
    return AGAINST_REST if is_sgd else BEFORE_SOFTMAX, "each", last.decision_function


def _of_net(model: HasNet) -> Line:
    """Return the coefficients of a network whose layers after preparation are all linear."""
    layers = _layers(model.net)
    cut = next((i for i, layer in enumerate(layers) if isinstance(layer, nn.Linear)), len(layers))
    before, after = layers[:cut], layers[cut:]
    is_plain = all(isinstance(p, PrepareTable | PrepareImage | nn.Flatten) for p in before)
    if not (after and is_plain and all(isinstance(p, nn.Linear) for p in after)):
        raise _not_linear(type(model.net).__name__)
    weight, bias = _joined([p for p in after if isinstance(p, nn.Linear)])
    device = device_of(model.net)
    is_binary = model.task.n_outputs == 2
    if is_binary:
        weight, bias = weight[1:] - weight[:1], bias[1:] - bias[:1]

    def rows(x: Tensor) -> Tensor:
        with torch.no_grad():
            return nn.Sequential(*before)(x.to(device)).flatten(1).cpu().double()

    def raw(x: Tensor) -> Array:
        found = model.predict(x).double()
        return (found[:, 1:] - found[:, :1] if is_binary else found).numpy()

    unit = LOG_ODDS if is_binary else BEFORE_SOFTMAX if model.task.is_classification else TARGET
    source = _sources(before, model.schema)
    return Line(weight, bias, rows, source, raw, unit, "opposite" if is_binary else "each")


def _layers(net: nn.Module) -> list[nn.Module]:
    if isinstance(net, nn.Sequential):
        return [layer for part in net for layer in _layers(part)]
    return [] if isinstance(net, nn.Identity) else [net]


def _joined(layers: list[nn.Linear]) -> tuple[Tensor, Tensor]:
    """Return the one linear layer that several in a row make."""
    weight = torch.eye(layers[0].in_features, dtype=torch.float64)
    bias = torch.zeros(layers[0].in_features, dtype=torch.float64)
    for layer in layers:
        own = layer.weight.detach().cpu().double()
        weight, bias = own @ weight, own @ bias
        more = dict(layer.named_parameters()).get("bias")
        bias = bias if more is None else bias + more.detach().cpu().double()
    return weight, bias


def _sources(before: list[nn.Module], schema: Schema) -> Int[Tensor, " values"]:
    """Return the value of the example that each prepared value is made of."""
    table = next((p for p in before if isinstance(p, PrepareTable)), None)
    if table is None:
        return torch.arange(schema.n_features)
    spread = [torch.full((size,), i) for i, size in table.sizes]
    return torch.cat([table.number.cpu(), *spread, table.optional.cpu()])


def _not_linear(name: str) -> NotMeasurable:
    return NotMeasurable(
        "{model} is not linear, or not of a known kind.",
        mend="Use LeverageSHAP, which only asks the model.",
        model=name,
    )
