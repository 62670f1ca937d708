"""One call that explains, and says which method it took, why, and what it will cost."""

from collections.abc import Callable
from dataclasses import replace

from torch import Generator

from fivefold.core.data import Inputs
from fivefold.core.model import Model
from fivefold.core.progress import section
from fivefold.explanation.attribution import Attribution
from fivefold.explanation.choice import Choice, choose
from fivefold.explanation.explainer import Explainer
from fivefold.explanation.methods import Method
from fivefold.perturb import Features


def explain(
    model: Model,
    x: Inputs,
    background: Inputs,
    method: Method | Explainer = "auto",
    *,
    rng: Generator,
    features: Features = Features(),
    tell: Callable[[Choice], object] = lambda _: None,
) -> Attribution:
    """Return how much each feature moved the score of each class, or the number, away from the base.

    The score is the log-odds, unless the unit of the attribution says otherwise: the probability for
    forests, and what comes before the softmax for linear models and boosting of several classes.

    Args:
        model: Any model of tables, images or texts.
        x: The examples to explain; one text at a time.
        background: Ordinary rows that stand for "not known"; 20 to 100 rows of the training data. Words
            of a text are left out instead, or for gradients become the tokenizer's mask.
        method: Name of a method, or an explainer with its own settings (then `features` is its own too).
        rng: Source of whatever is sampled.
        features: What counts as one feature.
        tell: Told before anything is explained which method will be asked, why, and at what cost; the
            progress of long work carries the same line.

    Raises:
        BadInput: There is no such method, or inputs that the model does not eat.
        NotMeasurable: This kind of model cannot be explained this way.
    """
    choice = choose(model, x, background, method, features)
    tell(choice)
    with section(str(choice.told)):
        found = choice.explainer(model, x, background, rng=rng)
    found = replace(found, reason=choice.reason) if str(choice.reason) else found
    return found.with_inputs(model, x)
