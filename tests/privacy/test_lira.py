"""The likelihood-ratio attack against a loop written from the paper."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from fivefold.core.task import Task
from fivefold.privacy.lira import confidence, likelihood_ratio
from fivefold.privacy.shadow import halves
from seeding import seeded

CLASSES = Task(classes=("a", "b", "c"))


def looped(target, shadow, inside):
    """One row after another; the spread is pooled over rows."""
    target, shadow, inside = target.numpy(), shadow.numpy(), inside.numpy()
    told = []
    for i, x in enumerate(target):
        parts = []
        for chosen in (inside, ~inside):
            own = shadow[:, i][chosen[:, i]]
            squares = sum(
                float(((shadow[:, j][chosen[:, j]] - shadow[:, j][chosen[:, j]].mean()) ** 2).sum())
                for j in range(len(target))
            )
            spread = np.sqrt(squares / (chosen.sum() - len(target)))
            parts.append(norm.logpdf(x, own.mean(), spread))
        told.append(parts[0] - parts[1])
    return torch.tensor(told)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(n=st.integers(2, 12), pairs=st.integers(2, 4), seed=st.integers(0, 999))
def test_equals_a_loop_over_rows(n, pairs, seed):
    own = seeded(seed)
    inside = halves(n, 2 * pairs, own)
    target = torch.randn(n, generator=own, dtype=torch.float64) * 3
    shadow = torch.randn(2 * pairs, n, generator=own, dtype=torch.float64)
    found = likelihood_ratio(target, shadow, inside)
    torch.testing.assert_close(found, looped(target, shadow, inside))


@settings(max_examples=20, deadline=None, derandomize=True)
@given(n=st.integers(1, 8), seed=st.integers(0, 999))
def test_confidence_is_the_logit_of_the_true_class(n, seed):
    own = seeded(seed)
    logits = torch.randn(4, n, 3, generator=own)
    y = torch.randint(3, (n,), generator=own)
    p = logits.double().softmax(-1)[:, torch.arange(n), y]
    torch.testing.assert_close(confidence(logits, y, CLASSES), (p / (1 - p)).log())


def test_confidence_does_not_saturate():
    logits = torch.tensor([[60.0, 0.0, 0.0], [90.0, 0.0, 0.0]])
    a, b = confidence(logits, torch.tensor([0, 0]), CLASSES)
    assert b > a


def test_confidence_of_a_number_is_minus_its_squared_error():
    task = Task(kind="regression")
    found = confidence(torch.tensor([[1.0], [4.0]]), torch.tensor([1.0, 1.0]), task)
    assert found.tolist() == [0.0, -9.0]


def test_each_row_is_in_half_of_the_shadows():
    inside = halves(11, 8, seeded())
    assert (inside.sum(0) == 4).all()
    assert set(inside.sum(1).tolist()) == {5, 6}
