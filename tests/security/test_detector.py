"""The Mahalanobis score against its formula, its threshold against its promise."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.covariance import LedoitWolf
from torch import nn

from fivefold.core.data import Batch, Seen, as_tensor
from fivefold.core.errors import NotMeasurable
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.models import MLP, TorchModel
from fivefold.security.detector import Detector, Mahalanobis, threshold_for
from seeding import seeded


def identity(width: int, n_classes: int = 3) -> TorchModel:
    """A model whose last features are its inputs."""
    columns = tuple(Column(name=f"c{i}") for i in range(width))
    net = nn.Sequential(nn.Identity(), nn.Linear(width, n_classes)).eval()
    task = Task(classes=tuple(map(str, range(n_classes))))
    return TorchModel(net, task, Schema(columns=columns, shape=(width,)), MLP())


def clouds(n: int, width: int, seed: int, n_classes: int = 3) -> Batch:
    own = seeded(seed)
    y = torch.arange(n) % n_classes
    mix = torch.randn(width, width, generator=seeded(99))
    x = torch.randn(n, width, generator=own) @ mix
    return Batch(x + 4 * torch.randn(n_classes, width, generator=seeded(98))[y], y)


def slow_scores(train: Batch, x: torch.Tensor, shrinkage: float | None) -> list[float]:
    """Equation (2) of the paper, one example and one class at a time."""
    f, y = np.asarray(train.x, dtype=np.float64), np.asarray(train.y)
    means = {c: f[y == c].mean(0) for c in set(y.tolist())}
    rest = np.stack([f[i] - means[int(y[i])] for i in range(len(f))])
    if shrinkage is None:
        covariance = LedoitWolf(assume_centered=True).fit(rest).covariance_
    else:
        measured = sum(np.outer(r, r) for r in rest) / len(rest)
        width = f.shape[1]
        covariance = (1 - shrinkage) * measured
        covariance = covariance + shrinkage * np.trace(measured) / width * np.eye(width)
    inverse = np.linalg.inv(covariance)
    wide = np.asarray(x, dtype=np.float64)
    return [min((row - m) @ inverse @ (row - m) for m in means.values()) for row in wide]


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    width=st.integers(1, 6),
    seed=st.integers(0, 1000),
    shrinkage=st.none() | st.floats(0.01, 1),
)
def test_equals_the_formula(width, seed, shrinkage):
    train, fresh_rows = clouds(40, width, seed), clouds(30, width, seed + 1)
    fitted = Mahalanobis(shrinkage=shrinkage).fit(
        identity(width), Seen(train, clouds(40, width, seed + 2)), fpr=0.05
    )
    found = fitted.score(identity(width), fresh_rows.x)
    torch.testing.assert_close(
        found,
        torch.tensor(slow_scores(train, as_tensor(fresh_rows.x), shrinkage), dtype=torch.float64),
        rtol=1e-6,
        atol=1e-8,
    )


def test_does_not_change_with_the_scale_of_a_feature():
    train, valid, test = (clouds(200, 4, s) for s in (0, 1, 2))
    detector, model, stretch = (
        Mahalanobis(shrinkage=0.0),
        identity(4),
        torch.tensor([1, 10, 0.1, 5]),
    )

    def stretched(batch: Batch) -> Batch:
        return Batch(as_tensor(batch.x) * stretch, batch.y)

    plain = detector.fit(model, Seen(train, valid), fpr=0.05).score(model, test.x)
    other = detector.fit(model, Seen(stretched(train), stretched(valid)), fpr=0.05)
    torch.testing.assert_close(
        other.score(model, as_tensor(test.x) * stretch), plain, rtol=1e-3, atol=1e-3
    )


def test_far_is_more_suspicious_than_near_and_gradients_agree(trained, table):
    fitted = Mahalanobis().fit(trained, table.splits.seen, fpr=0.05)
    x = table.splits.test.x
    plain = fitted.score(trained, x)
    assert fitted.score(trained, x * 10).median() > 10 * plain.median()
    open_x = x.clone().requires_grad_()
    score = fitted.differentiable(trained)(open_x)
    torch.testing.assert_close(score.detach(), plain)
    (slope,) = torch.autograd.grad(score.sum(), open_x)
    assert slope.isfinite().all()
    assert fitted.score(trained, x - 1e-3 * slope.sign()).mean() < plain.mean()


def test_dead_and_repeated_features_do_no_harm():
    train, valid = clouds(60, 3, 0), clouds(60, 3, 1)

    def padded(batch: Batch) -> Batch:
        x = as_tensor(batch.x)
        return Batch(torch.cat([x, torch.zeros(len(x), 2), x[:, :1]], 1), batch.y)

    fitted = Mahalanobis(shrinkage=0.0).fit(
        identity(6), Seen(padded(train), padded(valid)), fpr=0.05
    )
    assert fitted.score(identity(6), padded(valid).x).isfinite().all()
    strange = as_tensor(padded(valid).x) + torch.tensor([0, 0, 0, 1.0, 0, 0])
    assert (fitted.score(identity(6), strange) > fitted.threshold).all()


@settings(max_examples=20, deadline=None, derandomize=True)
@given(n=st.integers(19, 200), fpr=st.sampled_from([0.05, 0.1, 0.25]), seed=st.integers(0, 99))
def test_the_threshold_is_the_conformal_quantile(n, fpr, seed):
    scores = torch.randn(n, generator=seeded(seed), dtype=torch.float64)
    found = threshold_for(scores, fpr)
    above = int((scores > found).sum())
    assert (above + 1) / (n + 1) <= fpr + 1e-9
    assert (above + 2) / (n + 1) > fpr - 1e-9


def test_false_alarms_on_fresh_data_are_what_was_promised():
    """Mean over many draws of 99 validation scores: exactly 5 %."""
    rates = []
    for seed in range(400):
        own = seeded(seed)
        threshold = threshold_for(torch.randn(99, generator=own), 0.05)
        rates.append(float((torch.randn(400, generator=own) > threshold).float().mean()))
    assert abs(float(np.mean(rates)) - 0.05) < 0.004


@dataclass(frozen=True)
class Closed:
    """A black box."""

    inner: TorchModel

    @property
    def task(self):
        return self.inner.task

    @property
    def schema(self):
        return self.inner.schema

    @property
    def lineage(self):
        return self.inner.lineage

    def predict(self, x):
        return self.inner.predict(x)

    def with_lineage(self, lineage):
        return self


def test_says_what_it_cannot_do(trained, trained_numbers, table, numbers):
    with pytest.raises(NotMeasurable, match="does not show its last features"):
        Mahalanobis().fit(Closed(trained), table.splits.seen, fpr=0.05)
    with pytest.raises(NotMeasurable, match="needs classes"):
        Mahalanobis().fit(trained_numbers, numbers.splits.seen, fpr=0.05)
    few = table.splits.seen._replace(valid=table.splits.seen.valid.take(slice(0, 18)))
    with pytest.raises(NotMeasurable, match="at least 19"):
        Mahalanobis().fit(trained, few, fpr=0.05)
    Mahalanobis().fit(trained, few, fpr=0.1)
    flat = replace(trained, net=nn.Linear(6, 2))
    with pytest.raises(NotMeasurable, match="last features"):
        Mahalanobis().fit(flat, table.splits.seen, fpr=0.05)


def test_is_a_detector():
    assert isinstance(Mahalanobis(), Detector)
