"""Whole data sets, explained part by part in bounded memory."""

from collections.abc import Iterator

from torch import Generator

from fivefold.core.data import Inputs, as_tensor
from fivefold.core.limits import Count
from fivefold.core.model import Model
from fivefold.core.progress import track
from fivefold.core.randomness import fresh_seed
from fivefold.explanation.attribution import Attribution
from fivefold.explanation.choice import choose
from fivefold.explanation.explain import explain
from fivefold.explanation.explainer import Explainer
from fivefold.explanation.methods import Method
from fivefold.perturb import Features


def explain_all(
    model: Model,
    x: Inputs,
    background: Inputs,
    method: Method | Explainer = "auto",
    *,
    rng: Generator,
    features: Features = Features(),
    size: Count = 256,
) -> Iterator[Attribution]:
    """Yield the attributions of `size` examples after another, so that one part at a time is in memory.

    The method is chosen once. Every part gets the same random numbers, so explainers whose sets serve all
    rows alike (exact, leverage, lime, and those that draw nothing) give each row what one call for all
    rows would; those that draw for each row (smooth-gradients, tabular-lime around rows) or learn from
    all rows together (odd-kernel) depend on `size`.

    Args:
        model: Any model of tables, images or texts; texts are explained one at a time.
        x: The examples.
        background: Ordinary rows that stand for "not known".
        method: Name of a method, or an explainer with its own settings.
        rng: Source of whatever is sampled.
        features: What counts as one feature.
        size: Examples of one part.

    Raises:
        BadInput: There is no such method, or inputs that the model does not eat.
        NotMeasurable: This kind of model cannot be explained this way.
    """
    rows, seed = as_tensor(x), fresh_seed(rng)
    parts = rows.split(1 if model.schema.is_text else size)
    choice = choose(model, parts[0], background, method, features)
    chosen = method if model.schema.is_text else choice.explainer  # words decide text by text
    for part in track(parts, "examples explained", len(parts)):
        own = Generator().manual_seed(seed)
        yield explain(model, part, background, chosen, rng=own, features=features)
