"""Attributions of networks that have learnt nothing: what agreement with any model at all would look like."""

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from fivefold.core.errors import NotMeasurable
from fivefold.core.model import HasArchitecture, Model
from fivefold.core.randomness import spawn
from fivefold.explanation.explainer import Explainer
from fivefold.explanation.sample import QUICK, Explained, Sample, explained
from fivefold.models import MLP, TorchModel


def of_unrelated(
    explainer: Explainer, model: Model, like: Explained, rows: Sample, n: int, rng: Generator
) -> Float[Tensor, "draws rows features"]:
    """Return attributions of `n` untrained networks for the outputs that `like` explains.

    They eat what `model` eats and are built as it is, or are small perceptrons if nobody knows how. An
    explainer that only serves another kind of model is replaced by one that serves all.
    """
    found = []
    for _ in range(n):
        net, own = untrained(model, spawn(rng)), spawn(rng)
        try:
            one = explained(explainer, net, rows, own, like.target)
        except NotMeasurable:
            one = explained(QUICK, net, rows, own, like.target)
        found.append(one.values)
    return torch.stack(found)


def untrained(model: Model, rng: Generator) -> TorchModel:
    """Return a network with random weights that answers the question of `model` about the same inputs."""
    how = model.architecture if isinstance(model, HasArchitecture) else MLP()
    return TorchModel(how.build(model.schema, model.task, rng), model.task, model.schema, how)
