"""The rows that a probe explains, the rows it hides features behind, and the explainer it takes by default."""

from typing import NamedTuple

import torch
from torch import Generator, Tensor

from fivefold.core.data import Inputs, Splits, as_tensor, take
from fivefold.core.errors import NotMeasurable
from fivefold.core.model import Model
from fivefold.explanation.attribution import Attribution, of_output
from fivefold.explanation.explainer import Explainer
from fivefold.explanation.leverage import LeverageSHAP
from fivefold.explanation.output import chosen

QUICK = LeverageSHAP(budget=2048, draws=1, tolerance=0.2)


class Sample(NamedTuple):
    """Test rows to explain, and training rows that stand for "not known"."""

    x: Inputs
    background: Inputs


class Explained(NamedTuple):
    """Attributions of a sample, and those of the one output looked at: `(rows, features)`."""

    attribution: Attribution
    target: Tensor
    values: Tensor

    @property
    def n_unsure(self) -> int:
        """How many attributions have not converged."""
        return int((~self.attribution.is_converged).sum())


def sample(splits: Splits, n_rows: int, n_background: int, rng: Generator) -> Sample:
    """Draw rows of the test split and of the training split, each at most once."""
    test, train = splits.test, splits.seen.train
    rows = torch.randperm(test.size, generator=rng)[:n_rows]
    behind = torch.randperm(train.size, generator=rng)[:n_background]
    return Sample(take(test.x, rows), take(train.x, behind))


def explained(
    explainer: Explainer, model: Model, rows: Sample, rng: Generator, target: Tensor | None = None
) -> Explained:
    """Explain `rows`: the predicted class, or the `target` given.

    Raises:
        NotMeasurable: There is only one feature, so that there is nothing to rank.
    """
    found = explainer(model, rows.x, rows.background, rng=rng).with_inputs(model, rows.x)
    if found.groups.n < 2:
        raise NotMeasurable("A model of a single feature needs no ranking of features.")
    looked_at = chosen(model, as_tensor(rows.x)) if target is None else target
    return Explained(found, looked_at, of_output(found.values, looked_at))
