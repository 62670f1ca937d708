"""Tell inputs that are not like the training data, after Lee et al. (2018), "A Simple Unified Framework".

No detector of this kind is known to stand up to an attacker who knows it (Carlini and Wagner, 2017;
Tramer et al., 2020). It is an alarm for the careless; `security.Detection` measures both cases.
"""

from dataclasses import dataclass
from math import ceil
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from fivefold.core.data import Inputs, Seen
from fivefold.core.errors import NotMeasurable
from fivefold.core.limits import Share
from fivefold.core.loss import Forward
from fivefold.core.model import Embeds, HasNet, Model


class Fitted(Protocol):
    """A detector that has learnt what is usual for one model."""

    @property
    def threshold(self) -> float:
        """A score above it raises the alarm."""
        ...

    def score(self, model: Model, x: Inputs) -> Float[Tensor, " batch"]:
        """Return how suspicious each input is; higher is more so."""
        ...

    def differentiable(self, model: Model) -> Forward:
        """Return `score` with gradients, for an attacker who knows the detector.

        Raises:
            NotMeasurable: The model's features cannot be reached with gradients.
        """
        ...


@runtime_checkable
class Detector(Protocol):
    """A frozen dataclass that says how to learn what is usual."""

    def fit(self, model: Model, seen: Seen, *, fpr: float) -> Fitted:
        """Learn from the training split; set the threshold on the validation split for the rate `fpr`."""
        ...


@runtime_checkable
class HasTrunk(HasNet, Protocol):
    """A model whose last features can be reached with gradients."""

    def trunk(self) -> nn.Module:
        """Return the network without its head."""
        ...


@dataclass(frozen=True, kw_only=True)
class Mahalanobis:
    """Distance to the nearest class in the last features, all classes sharing one covariance.

    Weak against attackers who know it: they only have to land near the features of another class.

    Attributes:
        shrinkage: Weight of the round covariance that steadies the measured one; chosen after Ledoit and
            Wolf (2004) if not given.
    """

    shrinkage: Share | None = None

    def fit(self, model: Model, seen: Seen, *, fpr: float) -> "FittedMahalanobis":
        """Learn means and covariance from `seen.train`; set the threshold on `seen.valid`.

        Raises:
            NotMeasurable: The model shows no features, has no classes, or there are too few examples.
        """
        model = _embedding(model)
        if not model.task.is_classification:
            raise NotMeasurable(
                "A Mahalanobis detector needs classes, and {target} is a number.",
                target=model.task.target,
            )
        features = model.embed(seen.train.x).double()
        means, rest = _centred(features, seen.train.y)
        whiten = _whitening(_covariance(rest, self.shrinkage))
        fitted = FittedMahalanobis(means @ whiten, whiten)
        usual = fitted.score(model, seen.valid.x)
        return FittedMahalanobis(fitted.means, whiten, threshold_for(usual, fpr))


@dataclass(frozen=True, eq=False)
class FittedMahalanobis:
    """Class means in the space in which the shared covariance is round.

    `means` is (class, feature), `whiten` (feature, feature), both float64.
    """

    means: Tensor
    whiten: Tensor
    threshold: float = float("inf")

    def score(self, model: Model, x: Inputs) -> Float[Tensor, " batch"]:
        """Return the squared distance of each input to the nearest class."""
        return self.distance(_embedding(model).embed(x))

    def differentiable(self, model: Model) -> Forward:
        """Return `score` with gradients."""
        if not isinstance(model, HasTrunk):
            raise NotMeasurable(
                "The features of a {model} cannot be reached with gradients.",
                mend="Distil it into a network first (efficiency.Distill), or use a query-only method.",
                model=type(model).__name__,
            )
        trunk = model.trunk()
        return lambda x: self.distance(trunk(x))

    def distance(self, features: Float[Tensor, "batch feature"]) -> Float[Tensor, " batch"]:
        """Return the squared distance to the nearest class: one product instead of one per class."""
        z = features.to(self.whiten) @ self.whiten
        cross = z @ self.means.T
        squared = z.square().sum(1, keepdim=True) - 2 * cross + self.means.square().sum(1)
        return squared.amin(1).clamp_min(0)


def threshold_for(usual: Float[Tensor, " n"], fpr: float) -> float:
    """Return the smallest threshold that at most a share `fpr` of fresh scores like `usual` exceeds.

    It is the conformal quantile (Vovk et al., 2005): the promise holds on average over draws of `usual`
    for any distribution.

    Raises:
        NotMeasurable: There are too few scores for so small a rate.
    """
    n = len(usual)
    rank = ceil((n + 1) * (1 - fpr) - 1e-9)
    if rank > n:
        raise NotMeasurable(
            "A threshold for {fpr} false positives needs more than {n} validation examples.",
            mend="Give at least {least} validation examples, or allow a higher rate.",
            fpr=fpr,
            n=n,
            least=ceil(1 / fpr - 1 - 1e-9),
        )
    return float(usual.sort().values[rank - 1])


def _embedding(model: Model) -> Embeds:
    if isinstance(model, Embeds):
        return model
    raise NotMeasurable(
        "A {model} does not show its last features.",
        mend="Distil it into a network first (efficiency.Distill), or use a query-only method.",
        model=type(model).__name__,
    )


def _centred(
    features: Float[Tensor, "batch feature"], y: Int64[Tensor, " batch"]
) -> tuple[Float[Tensor, "class feature"], Float[Tensor, "batch feature"]]:
    """Return the mean of each class that occurs, and what is left of each example without its own."""
    _, place = y.unique(return_inverse=True)
    one_hot = torch.nn.functional.one_hot(place).to(features)
    means = (one_hot.T @ features) / one_hot.sum(0)[:, None]
    return means, features - means[place]


def _covariance(
    rest: Float[Tensor, "batch feature"], shrinkage: float | None
) -> Float[Tensor, "feature feature"]:
    if shrinkage is None:
        from sklearn.covariance import ledoit_wolf_shrinkage

        shrinkage = float(ledoit_wolf_shrinkage(rest.numpy(), assume_centered=True))
    measured = rest.T @ rest / len(rest)
    round_one = torch.eye(len(measured), dtype=measured.dtype) * measured.diagonal().mean()
    return (1 - shrinkage) * measured + shrinkage * round_one


def _whitening(covariance: Float[Tensor, "feature feature"]) -> Float[Tensor, "feature feature"]:
    """Return W with W W^T = covariance^-1; directions without any variance get a tiny one."""
    values, vectors = torch.linalg.eigh(covariance)
    least = max(float(values.max()) * 1e-8, 1e-12)
    return vectors / values.clamp_min(least).sqrt()
