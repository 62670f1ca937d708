"""Logistic regression comes to the same weights as another one."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from fivefold.privacy.leakage.learner import RIDGE, fitted
from seeding import seeded


@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 99), pull=st.floats(0, 30))
def test_the_same_weights_as_sklearn(seed, pull):
    own = seeded(seed)
    x = torch.randn(80, 3, generator=own, dtype=torch.float64)
    y = pull * x[:, 0] + torch.randn(80, generator=own) > 0
    twin = LogisticRegression(C=1 / (80 * RIDGE), fit_intercept=False, tol=1e-10, max_iter=9999)
    twin.fit(x.numpy(), y.numpy())
    assert fitted(x, y).tolist() == pytest.approx(twin.coef_[0].tolist(), abs=1e-4)


def test_a_feature_that_says_all_has_a_finite_weight():
    x = torch.linspace(-1, 1, 40).double()[:, None]
    weight = fitted(x, x[:, 0] > 0)
    assert 1.0 < float(weight) < 1e3


def test_features_that_say_nothing_have_none():
    assert fitted(torch.zeros(10, 2).double(), torch.arange(10) % 2 == 0).tolist() == [0.0, 0.0]
