"""The ladder against its plain twin, batch sizes, and verified success."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.schema import Space
from fivefold.perturb.ball import ball_around
from fivefold.perturb.counter import uniform
from fivefold.perturb.gradient_attack import step_sizes
from fivefold.perturb.random_search import random_search
from fivefold.perturb.search import attack
from seeding import seeded


def whole(shape):
    return Space(torch.zeros(shape), torch.ones(shape), torch.ones(shape), torch.ones(shape).bool())


def plain_attack(forward, y, ball, *, steps, seed):
    """No compaction, no early stop inside a run, one example at a time. Returns flags and evaluations."""
    flags, evaluations = [], 0
    for i in range(len(y)):
        place = torch.tensor([i])
        here, truth = ball.take(place), y[place]
        clean = forward(here.center).detach()
        evaluations += 1
        wrong = [c for c in clean[0].argsort(descending=True).tolist() if c != int(truth)]
        fooled = bool(clean.argmax(1) != truth)
        for run, target in enumerate([None, *wrong]):
            x = here.start(uniform(seed, place, run, here.center.numel() + 1))
            for size in step_sizes(ball.eps, steps):
                point = x.clone().requires_grad_()
                logits = forward(point)
                fooled |= bool(logits.argmax(1) != truth)
                if target is None:
                    value = F.cross_entropy(logits, truth)
                else:
                    value = logits[0, target] - logits[0, truth[0]]
                x = here.step(x, torch.autograd.grad(value, point)[0], size)
                evaluations += 2
            fooled |= bool(forward(x).argmax(1) != truth)
            evaluations += 1
        flags.append(fooled)
    return torch.tensor(flags), evaluations


@settings(max_examples=6, deadline=None, derandomize=True)
@given(seed=st.integers(0, 1000), norm=st.sampled_from(["linf", "l2"]))
def test_finds_what_the_plain_loop_finds_for_less(seed, norm, trained_images, images):
    test = images.splits.test.take(torch.randperm(80, generator=seeded(seed))[:10])
    ball = ball_around(test.x, whole((1, 8, 8)), 0.02 if norm == "linf" else 0.15, norm)
    flags, evaluations = plain_attack(trained_images.net, test.y, ball, steps=5, seed=seed)
    found = attack(trained_images.net, test.y, ball, steps=5, seed=seed)
    assert torch.equal(found.is_fooled, flags)
    assert found.evaluations < evaluations


@pytest.mark.parametrize("method", [attack, random_search])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_batch_size_changes_nothing(method, norm, trained_images, images):
    test, net = images.splits.test.take(slice(0, 24)), trained_images.net
    eps = {"linf": 0.02, "l2": 0.15} if method is attack else {"linf": 0.12, "l2": 0.9}
    ball = ball_around(test.x, whole((1, 8, 8)), eps[norm], norm)
    effort = {"steps": 4} if method is attack else {"queries": 20}
    found = [method(net, test.y, ball, seed=3, size=size, **effort) for size in (1, 7, 128)]
    assert 0 < int(found[0].is_fooled.sum()) < len(test.y)
    for one in found[1:]:
        assert torch.equal(one.is_fooled, found[0].is_fooled)


@pytest.mark.parametrize("method", [attack, random_search])
def test_what_is_claimed_is_true_and_the_rest_untouched(method, trained_images, images):
    test, model = images.splits.test, trained_images
    ball = ball_around(test.x, whole((1, 8, 8)), 0.12, "linf")
    found = method(model.net, test.y, ball)
    is_wrong = torch.tensor([int(model.predict(x[None]).argmax()) for x in found.x]) != test.y
    assert torch.equal(is_wrong[found.is_fooled], torch.ones_like(is_wrong[found.is_fooled]))
    assert torch.equal(found.x[~found.is_fooled], test.x[~found.is_fooled])
    assert float((found.x - test.x).abs().max()) <= 0.12 + 1e-6
    assert found.x.min() >= 0
    assert found.x.max() <= 1
    assert all(p.grad is None for p in model.net.parameters())


def test_an_error_that_does_not_repeat_is_no_success():
    """A classifier that is wrong only in company of others has not been fooled."""
    ball = ball_around(torch.full((4, 1), 0.5), whole((1,)), 0.1, "linf")

    def wrong_in_pairs(x):
        right = torch.tensor([1.0, 0.0])
        return (right if len(x) == 1 else right.flip(0)).expand(len(x), 2) + 0 * x

    assert not random_search(
        wrong_in_pairs, torch.zeros(1).long(), ball.take(slice(0, 1))
    ).is_fooled
    assert random_search(wrong_in_pairs, torch.zeros(4).long(), ball, queries=1).is_fooled.all()


def test_no_radius_breaks_nothing_and_a_huge_one_nearly_all(trained, table):
    test = table.splits.test
    for eps, least, most in ((0.0, 0.0, 0.0), (8.0, 0.99, 1.0)):
        right = trained.predict(test.x).argmax(1) == test.y
        part = test.take(right)
        ball = ball_around(part.x, table.schema.space(), eps, "linf")
        share = float(attack(trained.net, part.y, ball, steps=5).is_fooled.float().mean())
        assert least <= share <= most


def test_random_search_needs_no_gradient(trained, table):
    """Rounded answers have no slope; gradient steps find nothing that chance does not find more of."""
    test = table.splits.test

    def steps_only(x):
        return trained.net((x * 2).round() / 2)

    ball = ball_around(test.x, table.schema.space(), 0.6, "linf")
    right = (steps_only(test.x).argmax(1) == test.y).nonzero()[:, 0]
    chance = random_search(steps_only, test.y[right], ball.take(right))
    one_run = attack(steps_only, test.y[right], ball.take(right), steps=5)
    assert int(chance.is_fooled.sum()) > int(one_run.is_fooled.sum())


def test_counted_numbers_are_uniform_and_tell_everything_apart():
    places = torch.arange(500)
    a = uniform(1, places, 0, 40)
    assert torch.equal(a[[7]], uniform(1, torch.tensor([7]), 0, 40))
    assert a.min() >= 0
    assert a.max() < 1
    assert abs(float(a.mean()) - 0.5) < 0.01
    assert abs(float(a.var()) - 1 / 12) < 0.003
    for other in (
        uniform(2, places, 0, 40),
        uniform(1, places, 1, 40),
        uniform(1 + 2**40, places, 0, 40),
    ):
        assert abs(float(torch.corrcoef(torch.stack([a.flatten(), other.flatten()]))[0, 1])) < 0.03
    assert abs(float(torch.corrcoef(a.T).triu(1).abs().mean())) < 0.03
