"""PGD and FGSM against what is known in closed form, and against the rules every attack keeps."""

from math import cos, pi

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from fivefold.core.data import Batch
from fivefold.core.loss import cross_entropy
from fivefold.core.schema import Space
from fivefold.perturb.ball import ball_around
from fivefold.perturb.gradient_attack import fgsm, pgd
from seeding import seeded

SEEDS = st.integers(0, 10_000)
NORMS = st.sampled_from(["linf", "l2"])
EPS = st.floats(0.0, 2.0)


def random_space(width, rng):
    low = -2 * torch.rand(width, generator=rng)
    unit = torch.rand(width, generator=rng) + 0.2
    return Space(low, low + 2.5, unit, torch.rand(width, generator=rng) < 0.8)


def random_rows(space, rng, n=9):
    """Rows inside the ranges, some values missing, one column without a range."""
    x = space.low + (space.high - space.low) * torch.rand(n, len(space.low), generator=rng)
    x[torch.rand(x.shape, generator=rng) < 0.1] = torch.nan
    space.high[0] = torch.inf
    return x


def assert_allowed(moved, x, space, eps, norm):
    assert torch.equal(moved.isnan(), x.isnan())
    kept = x.isnan() | ~space.can_move
    assert torch.equal(moved[kept].nan_to_num(), x[kept].nan_to_num())
    away = ((moved - x) / space.unit).nan_to_num()
    length = away.abs().amax(1) if norm == "linf" else away.norm(dim=1)
    assert (length <= eps * (1 + 1e-5) + 1e-6).all()
    inside = moved.nan_to_num(0)
    assert (torch.where(moved.isnan(), True, inside >= space.low)).all()
    assert (torch.where(moved.isnan(), True, inside <= space.high)).all()


def net_for(width, rng, classes=3):
    net = nn.Sequential(nn.Linear(width, 12), nn.Tanh(), nn.Linear(12, classes))
    with torch.no_grad():
        for p in net.parameters():
            p.normal_(generator=rng)
    return lambda x: net(x.nan_to_num(0.0)), net


@settings(max_examples=20, deadline=None, derandomize=True)
@given(SEEDS, NORMS, EPS)
def test_projection_stays_inside_and_leaves_the_inside_alone(seed, norm, eps):
    rng = seeded(seed)
    space = random_space(6, rng)
    x = random_rows(space, rng)
    ball = ball_around(x, space, eps, norm)
    once = ball.project(x + 3 * torch.randn(x.shape, generator=rng))
    assert_allowed(once, x, space, eps, norm)
    torch.testing.assert_close(ball.project(once), once, equal_nan=True, atol=1e-5, rtol=1e-5)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(SEEDS, st.floats(0.05, 2.0))
def test_the_l2_projection_is_the_nearest_point(seed, eps):
    """The twin finds the factor by bisection, in double precision."""
    rng = seeded(seed)
    y = 2 * torch.randn(7, 5, generator=rng, dtype=torch.float64)
    low = -torch.rand(7, 5, generator=rng, dtype=torch.float64)
    high = torch.rand(7, 5, generator=rng, dtype=torch.float64)
    zero = torch.zeros(7, 5, dtype=torch.float64)
    free = torch.ones(7, 5, dtype=torch.bool)
    ball = ball_around(zero, Space(zero[0], zero[0], zero[0] + 1, free[0]), eps, "l2")
    got = ball._replace(low=low, high=high).project(y)
    for i in range(7):
        small, large = 0.0, 1.0
        for _ in range(60):
            middle = (small + large) / 2
            if float((middle * y[i]).clamp(low[i], high[i]).norm()) > eps:
                large = middle
            else:
                small = middle
        torch.testing.assert_close(got[i], (large * y[i]).clamp(low[i], high[i]), atol=1e-6, rtol=0)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(SEEDS, NORMS, EPS)
def test_attacks_obey_the_rules(seed, norm, eps):
    rng = seeded(seed)
    space = random_space(5, rng)
    x = random_rows(space, rng)
    forward, net = net_for(5, rng)
    batch = Batch(x, torch.arange(9) % 3)
    before = x.clone()
    for moved in (
        fgsm(forward, batch, cross_entropy, space, eps=eps, norm=norm),
        pgd(forward, batch, cross_entropy, space, eps=eps, steps=4, norm=norm),
        pgd(forward, batch, cross_entropy, space, eps=eps, steps=4, norm=norm, rng=rng, restarts=2),
    ):
        assert_allowed(moved, x, space, eps, norm)
        assert not moved.requires_grad
    assert all(p.grad is None for p in net.parameters())
    assert torch.equal(x.nan_to_num(), before.nan_to_num())


@settings(max_examples=20, deadline=None, derandomize=True)
@given(SEEDS, NORMS)
def test_pgd_is_the_plain_loop(seed, norm):
    """The twin treats one example at a time and keeps every point in a list."""
    rng = seeded(seed)
    x = torch.rand(6, 4, generator=rng)
    y = torch.arange(6) % 3
    space = Space(torch.zeros(4), torch.ones(4), torch.ones(4), torch.ones(4).bool())
    forward, _ = net_for(4, rng)
    got = pgd(forward, Batch(x, y), cross_entropy, space, eps=0.3, steps=5, norm=norm)
    for i in range(6):
        ball, now, points = ball_around(x[i : i + 1], space, 0.3, norm), x[i : i + 1], []
        for t in range(5):
            point = now.clone().requires_grad_()
            loss = cross_entropy(forward, Batch(point, y[i : i + 1]))
            points.append((float(loss.detach()), now))
            (g,) = torch.autograd.grad(loss.sum(), point)
            g = g.sign() if norm == "linf" else g / g.norm()
            now = ball.project(now + 0.3 * (1 + cos(pi * t / 5)) / 2 * g)
        points.append((float(cross_entropy(forward, Batch(now, y[i : i + 1])).detach()), now))
        best = max(points, key=lambda p: p[0])[1]
        torch.testing.assert_close(got[i : i + 1], best, atol=1e-4, rtol=0)


def worst_margin(net, x, y, space, eps, norm):
    """The exact worst margin of a linear two-class network inside ball and box."""
    w, b = net.weight[1] - net.weight[0], net.bias[1] - net.bias[0]
    sign = (1 - 2 * y).float()
    low, high = (space.low - x) / space.unit, (space.high - x) / space.unit
    v = sign[:, None] * w * space.unit * space.can_move
    if norm == "linf":
        away = eps * v.sign()
    else:  # along v; values that meet their range stop there
        small, large = torch.zeros(len(x)), torch.full((len(x),), 1e5)
        for _ in range(100):
            middle = (small + large) / 2
            over = (middle[:, None] * v).clamp(low, high).norm(dim=1) > eps
            small, large = torch.where(over, small, middle), torch.where(over, middle, large)
        away = large[:, None] * v
    worst = x + space.unit * away.clamp(low, high)
    return (sign * (worst @ w + b)).detach()


@settings(max_examples=20, deadline=None, derandomize=True)
@given(SEEDS, NORMS, st.floats(0.01, 0.6), st.booleans())
def test_a_linear_classifier_is_attacked_exactly(seed, norm, eps, is_random):
    rng = seeded(seed)
    x, y = torch.rand(8, 6, generator=rng), torch.arange(8) % 2
    unit = 0.5 + torch.rand(6, generator=rng)
    can_move = torch.tensor([True, True, False, True, True, True])
    space = Space(torch.zeros(6), torch.ones(6), unit, can_move)
    net = nn.Linear(6, 2)
    with torch.no_grad():
        net.weight.normal_(generator=rng)
        net.bias.normal_(generator=rng)
    start = rng if is_random else None
    moved = pgd(net, Batch(x, y), cross_entropy, space, eps=eps, steps=40, norm=norm, rng=start)
    got = (1 - 2 * y) * (net(moved)[:, 1] - net(moved)[:, 0])
    torch.testing.assert_close(
        got.detach(), worst_margin(net, x, y, space, eps, norm), atol=1e-3, rtol=0
    )


def test_more_steps_climb_higher_than_one(trained, table):
    test, space = table.splits.test, table.schema.space()
    forward = trained.net
    once = fgsm(forward, test, cross_entropy, space, eps=1.0)
    often = pgd(forward, test, cross_entropy, space, eps=1.0, steps=20)
    clean, one, many = (
        float(cross_entropy(forward, test._replace(x=x)).mean().detach())
        for x in (test.x, once, often)
    )
    assert clean < one <= many + 1e-4


def test_random_starts_repeat_and_differ(trained, table):
    test, space = table.splits.test, table.schema.space()

    def run(seed):
        return pgd(
            trained.net, test, cross_entropy, space, eps=0.5, steps=1, rng=seeded(seed), norm="l2"
        )

    assert torch.equal(run(1), run(1))
    assert not torch.equal(run(1), run(2))


def test_without_gradients_nothing_breaks(table):
    test, space = table.splits.test, table.schema.space()
    constant = torch.zeros(test.size, 2)
    still = pgd(lambda _: constant, test, cross_entropy, space, eps=0.5, steps=3)
    assert torch.equal(still, test.x)


@pytest.mark.parametrize(
    "wrong", [{"eps": -0.1}, {"eps": float("nan")}, {"steps": 0}, {"restarts": 2}, {"norm": "l1"}]
)
def test_nonsense_is_refused(wrong, trained, table):
    given_ = {"eps": 0.1, "steps": 2} | wrong
    with pytest.raises(ValueError, match=r"eps|PGD|norm"):
        pgd(trained.net, table.splits.test, cross_entropy, table.schema.space(), **given_)
