"""The likelihood-ratio attack against a loop written from the paper."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from fivefold.core.task import Task
from fivefold.privacy import LiRA
from fivefold.privacy.attacks import ShadowView, View
from fivefold.privacy.attacks.signal import confidence
from fivefold.privacy.shadow import halves
from seeding import seeded

CLASSES = Task(classes=("a", "b", "c"))


def spread_of(shadow, chosen, i, pools):
    """Variance of row `i`, or one for all rows, with a degree of freedom less for each mean."""
    rows = range(shadow.shape[1]) if pools else [i]
    own = [shadow[:, j][chosen[:, j]] for j in rows]
    return np.sqrt(sum(((o - o.mean()) ** 2).sum() for o in own) / sum(len(o) - 1 for o in own))


def looped(target, shadow, inside, online, pools):
    target, shadow, inside = target.numpy(), shadow.numpy(), inside.numpy()
    told = []
    for i, x in enumerate(target):
        mean, spread = {}, {}
        for name, chosen in (("in", inside), ("out", ~inside)):
            mean[name] = shadow[:, i][chosen[:, i]].mean()
            spread[name] = spread_of(shadow, chosen, i, pools)
        out = norm(mean["out"], spread["out"])
        if online:
            told.append(norm.logpdf(x, mean["in"], spread["in"]) - out.logpdf(x))  # pyright: ignore[reportAttributeAccessIssue]
        else:
            told.append(norm.ppf(out.cdf(x)))
    return torch.tensor(np.array(told))


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    n=st.integers(2, 12),
    pairs=st.integers(2, 4),
    seed=st.integers(0, 999),
    online=st.booleans(),
    pools=st.booleans(),
)
def test_equals_a_loop_over_rows(n, pairs, seed, online, pools):
    own = seeded(seed)
    inside = halves(n, 2 * pairs, own)
    shadow = torch.randn(2 * pairs, n, generator=own, dtype=torch.float64)
    target = shadow.mean(0) + torch.randn(n, generator=own, dtype=torch.float64) * 0.1
    attack = LiRA(online=online, own_variance_from=64 if pools else 1)
    view = View(None, None, 1, target, ShadowView(shadow, inside))  # type: ignore[arg-type]
    found = torch.cat(attack.scores(view, own))
    wanted = looped(target, shadow, inside, online, pools)
    sound = wanted.isfinite()  # scipy's distribution function rounds to 0 or 1 far out
    torch.testing.assert_close(found[sound], wanted[sound], rtol=1e-4, atol=1e-4)


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


@pytest.mark.parametrize("n", [11, 12])
def test_each_row_is_in_half_of_the_shadows(n):
    inside = halves(n, 8, seeded())
    assert (inside.sum(0) == 4).all()
    assert set(inside.sum(1).tolist()) <= {n // 2, n - n // 2}
