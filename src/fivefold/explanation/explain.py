"""One call that explains, and says which method it took and why."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, TypeAlias

from torch import Generator

from fivefold.core.data import Inputs
from fivefold.core.model import HasNet, Model
from fivefold.core.text import Text, text
from fivefold.explanation.attribution import Attribution
from fivefold.explanation.exact import ExactShapley
from fivefold.explanation.explainer import Explainer
from fivefold.explanation.gradients import IntegratedGradients
from fivefold.explanation.leverage import LeverageSHAP
from fivefold.explanation.lime import LIME
from fivefold.explanation.linear import LinearSHAP, is_linear
from fivefold.explanation.question import groups_of
from fivefold.explanation.trees import TreeSHAP, has_trees
from fivefold.perturb import Features

Method: TypeAlias = Literal["auto", "exact", "leverage", "lime", "gradients"]
FEW, MANY = (
    12,
    256,
)  # features that are listed in full; features that regression on sets still serves
METHODS: Mapping[Method, type[ExactShapley | LeverageSHAP | LIME | IntegratedGradients]] = {
    "exact": ExactShapley,
    "leverage": LeverageSHAP,
    "lime": LIME,
    "gradients": IntegratedGradients,
}


def explain(
    model: Model,
    x: Inputs,
    background: Inputs,
    method: Method | Explainer = "auto",
    *,
    rng: Generator,
    features: Features = Features(),
) -> Attribution:
    """Return how much each feature moved the score of each class, or the number, away from the base.

    The score is the log-odds, unless the unit of the attribution says otherwise: the probability for
    forests, and what comes before the softmax for linear models and boosting of several classes.

    Args:
        model: Any model of tables, images or texts.
        x: The examples to explain; one text at a time.
        background: Ordinary rows that stand for "not known"; 20 to 100 rows of the training data. Words
            of a text are left out instead.
        method: Name of a method, or an explainer with its own settings (then `features` is its own too).
        rng: Source of whatever is sampled.
        features: What counts as one feature.
    """
    if method == "auto":
        explainer, reason = _suited(model, x, features)
        found = replace(explainer(model, x, background, rng=rng), reason=reason)
    elif isinstance(method, str):
        found = METHODS[method](features=features)(model, x, background, rng=rng)
    else:
        found = method(model, x, background, rng=rng)
    return found.with_inputs(model, x)


def _suited(model: Model, x: Inputs, features: Features) -> tuple[Explainer, Text]:
    n, is_text = groups_of(model.schema, x, features).n, model.schema.is_text
    if not is_text and is_linear(model):
        reason = text("Exact Shapley values in closed form: the model is linear.")
        return LinearSHAP(features=features), reason
    if not is_text and has_trees(model):
        reason = text("Exact Shapley values from the model's own trees, however many features.")
        return TreeSHAP(features=features), reason
    if n <= FEW:
        reason = text(
            "Exact Shapley values: all {sets} sets of {n} features are few enough.", sets=2**n, n=n
        )
        return ExactShapley(features=features), reason
    if not is_text and n > MANY and isinstance(model, HasNet):
        reason = text("Integrated gradients: {n} features are many, and the network is open.", n=n)
        return IntegratedGradients(features=features), reason
    budget = max(2048, 16 * n)
    reason = text(
        "Shapley values from {budget} sampled sets: {n} features are too many to list all sets.",
        budget=budget,
        n=n,
    )
    return LeverageSHAP(budget=budget, features=features), reason
