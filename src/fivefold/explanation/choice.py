"""Which explainer suits a model and its features, why, and what it will cost."""

from dataclasses import dataclass

from fivefold.core.data import Inputs
from fivefold.core.model import HasNet, Model
from fivefold.core.text import Text, text
from fivefold.explanation.cost import Cost, cost_of
from fivefold.explanation.exact import ExactShapley
from fivefold.explanation.explainer import Explainer
from fivefold.explanation.gradients import IntegratedGradients
from fivefold.explanation.language import WordExplainer
from fivefold.explanation.leverage import LeverageSHAP
from fivefold.explanation.linear import LinearSHAP, is_linear
from fivefold.explanation.methods import BY_GRADIENT, Method, explainer_of
from fivefold.explanation.question import asked, groups_of
from fivefold.explanation.trees import TreeSHAP, has_trees
from fivefold.perturb import Features

FEW = 12  # features that are listed in full
MANY = 256  # features that regression on sets still serves


@dataclass(frozen=True, kw_only=True)
class Choice:
    """An explainer, before it is asked.

    Attributes:
        explainer: The explainer.
        reason: Why this one, if it was chosen automatically.
        cost: At most how often the model is asked, and roughly how long that takes.
    """

    explainer: Explainer
    reason: Text
    cost: Cost

    @property
    def told(self) -> Text:
        """Name and cost in one line."""
        name = type(self.explainer).__name__
        if self.cost.n_evaluations is None or self.cost.seconds is None:
            return text("{name}, at a cost that is not known before", name=name)
        return text(
            "{name}, at most {evaluations} answers of the model, roughly {seconds} s",
            name=name,
            evaluations=self.cost.n_evaluations,
            seconds=round(self.cost.seconds, 1),
        )


def choose(
    model: Model,
    x: Inputs,
    background: Inputs,
    method: Method | Explainer = "auto",
    features: Features = Features(),
) -> Choice:
    """Return the explainer that `explain` will ask, without asking it.

    Args:
        model: Any model of tables, images or texts.
        x: The examples to explain; one text at a time.
        background: Rows that stand for "not known".
        method: "auto", the name of a method, or an explainer.
        features: What counts as one feature; an explainer brings its own.

    Raises:
        BadInput: There is no method of that name, or no word in the text.
    """
    if method == "auto":
        explainer, reason = _suited(model, x, features)
    elif isinstance(method, str):
        explainer, reason = _named(method, model, features), text("")
    else:
        explainer, reason = method, text("")
    own = getattr(explainer, "features", features)
    question = asked(model, x, background, own, hides_words=True)
    return Choice(explainer=explainer, reason=reason, cost=cost_of(explainer, model, question))


def _named(method: str, model: Model, features: Features) -> Explainer:
    explainer = explainer_of(method, features)
    by_words = model.schema.is_text and method in BY_GRADIENT
    return WordExplainer(explainer=explainer) if by_words else explainer


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
