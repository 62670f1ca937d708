"""Views of an example: random, each of its own example alone, and free of charge."""

from dataclasses import replace
from math import inf, nan
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fivefold.core.codec import construct, decode, encode
from fivefold.core.data import Batch, as_tensor
from fivefold.core.errors import BadInput, BadRecipe
from fivefold.core.loss import cross_entropy
from fivefold.core.schema import Column, Schema
from fivefold.core.step import Step
from fivefold.models import MLP, fresh
from fivefold.privacy import DPSGD, Jitter, ShiftAndFlip
from fivefold.privacy import dpsgd as module
from fivefold.privacy.engine.views import change_of
from fivefold.training.gradient import mean
from fivefold.training.private.clipping import Automatic, Flat, PerLayer
from fivefold.training.private.engine import Engine
from fivefold.training.private.views import over_views, stacked
from fivefold.training.private_gradient import ClippedNoisy
from seeding import seeded

QUICK: dict[str, Any] = {"noise_multiplier": 1.0, "steps": 3}
IMAGES, TEXT = Schema(shape=(2, 6, 5)), Schema(shape=(9,), is_text=True)
TABLE = Schema(
    columns=(
        Column(name="a", low=-100, high=100, scale=2.0),
        Column(name="b", kind="category", categories=("x", "y")),
        Column(name="c", kind="integer", low=0, high=9, scale=5.0, is_optional=True),
    ),
    shape=(3,),
)


def pictures(n=7):
    return torch.rand(n, 2, 6, 5, generator=seeded(1))


def rows(n=2000):
    return torch.tensor([[3.0, 1.0, 4.0]]).repeat(n, 1)


def cut(image, most):
    """The slow twin: every window of the image's mirrored surroundings, and its mirror image."""
    wide = F.pad(image[None], (most,) * 4, mode="reflect")[0]
    _, height, width = image.shape
    for down in range(2 * most + 1):
        for right in range(2 * most + 1):
            window = wide[:, down : down + height, right : right + width]
            yield window
            yield window.flip(2)


def test_an_image_becomes_each_of_its_windows_about_as_often():
    x = pictures(1).expand(4000, -1, -1, -1)
    made = ShiftAndFlip(reach=0.25, flips=True)(x, IMAGES, seeded())
    windows = torch.stack([*cut(x[0], 1)])
    is_same = (made[:, None] == windows).flatten(2).all(2)
    assert is_same.sum(1).eq(1).all()
    expected = 4000 / len(windows)
    assert len(windows) == 18
    chi_square = float(((is_same.sum(0) - expected) ** 2 / expected).sum())
    assert chi_square < 40.8  # 17 degrees of freedom: 1 in 1000


def test_without_flips_no_image_is_mirrored():
    x = pictures(200)
    made = ShiftAndFlip(reach=0.25)(x, IMAGES, seeded())
    for image, view in zip(x, made, strict=True):
        assert any(torch.equal(view, w) for w in [*cut(image, 1)][::2])


def test_a_reach_of_nothing_leaves_images_and_the_whole_side_is_allowed():
    assert torch.equal(ShiftAndFlip(reach=0.0)(pictures(), IMAGES, seeded()), pictures())
    assert ShiftAndFlip(reach=1.0)(pictures(), IMAGES, seeded()).shape == pictures().shape


def test_numbers_are_moved_by_their_scale_and_nothing_else_is():
    made = Jitter(strength=0.1)(rows(), TABLE, seeded())
    assert float(made[:, 0].std()) == pytest.approx(0.2, rel=0.1)
    assert made[:, 1].eq(1).all()
    assert (made[:, 2] == made[:, 2].round()).all()
    lost = rows(5)
    lost[:, 2] = nan
    assert Jitter()(lost, TABLE, seeded())[:, 2].isnan().all()


@pytest.mark.parametrize("bad", [0.0, 7.0, 1e30, inf, nan])
@pytest.mark.parametrize(
    ("change", "x", "schema"),
    [(ShiftAndFlip(flips=True), pictures(), IMAGES), (Jitter(), rows(7), TABLE)],
    ids=["images", "table"],
)
def test_a_view_depends_on_no_other_example(change, x, schema, bad):
    """All of the bound on one example rests on it."""
    other = x.clone()
    other[3] = bad
    a, b = (change(v, schema, seeded(4)) for v in (x, other))
    kept = torch.tensor([0, 1, 2, 4, 5, 6])
    assert torch.equal(a[kept], b[kept])


def test_images_are_shifted_if_nobody_says_more():
    change = change_of(IMAGES, None, seeded(2))
    assert torch.equal(change(pictures()), ShiftAndFlip()(pictures(), IMAGES, seeded(2)))


@pytest.mark.parametrize(
    ("schema", "wanted"),
    [(TABLE, None), (TEXT, None), (TABLE, ShiftAndFlip()), (IMAGES, Jitter()), (TEXT, Jitter()),
     (TEXT, ShiftAndFlip())],
)  # fmt: skip
def test_inputs_without_such_views_are_refused(schema, wanted):
    with pytest.raises(BadInput, match="what a view"):
        change_of(schema, wanted, seeded())


def spied(monkeypatch, step, model, seen):
    given: dict[str, Any] = {}
    monkeypatch.setattr(module, "fit", lambda net, batches, loss, **more: given.update(more))
    monkeypatch.setattr(module, "check_intact", lambda *_: None)
    step(model, seen, rng=seeded())
    return given


def test_what_is_asked_reaches_the_gradient(untrained, table, monkeypatch):
    step = DPSGD(views=4, change=Jitter(), **QUICK)
    rule = spied(monkeypatch, step, untrained, table.splits.seen)["gradient"]
    x = as_tensor(table.splits.seen.train.x)[:5]
    assert rule.views == 4
    assert not torch.equal(rule.change(x), rule.change(x))
    assert rule.change(x).shape == x.shape


def test_views_do_not_follow_from_the_public_seed(untrained, table, monkeypatch):
    """Whoever knew which view each row of a batch got could tell how many rows came before it."""
    x = as_tensor(table.splits.seen.train.x)[:5]
    step = DPSGD(views=2, change=Jitter(), **QUICK)
    a, b = (spied(monkeypatch, step, untrained, table.splits.seen)["gradient"] for _ in range(2))
    assert not torch.equal(a.change(x), b.change(x))
    sources = step._sources()
    assert not torch.equal(sources.noise.get_state(), sources.views.get_state())


def test_views_cost_nothing():
    one, many = DPSGD(**QUICK), DPSGD(views=8, change=Jitter(), **QUICK)
    assert one.claim(250) == many.claim(250)


def test_it_learns_from_views(untrained, table, images):
    step = DPSGD(insecure_seed=0, views=3, change=Jitter(), method="together")
    model = step(untrained, table.splits.seen, rng=seeded())
    assert right(model, table) > 0.85
    step = DPSGD(insecure_seed=0, views=3, noise_multiplier=0.5)
    model = step(fresh(MLP(hidden=(32,)), images, seeded()), images.splits.seen, rng=seeded())
    assert right(model, images) > 0.6


def right(model, data):
    found = model.predict(data.splits.test.x).argmax(-1) == data.splits.test.y
    return float(found.double().mean())


def batch(table, n=6):
    return table.splits.seen.train.take(slice(0, n))


def rule_of(x, copies, own, **more: Any):
    given: dict[str, Any] = {
        "clip_norm": inf,
        "noise_multiplier": 0.0,
        "expected_size": 6.0,
        **more,
    }
    change = change_of(x, Jitter(), own)
    return ClippedNoisy(noise=seeded(), views=copies, change=change, **given)


def grads(net):
    return torch.cat([p.grad.flatten() for p in net.parameters()]).clone()


def test_without_noise_and_clipping_it_is_plain_descent_on_all_views(untrained, table):
    net, few = untrained.net, batch(table)
    rule_of(table.schema, 3, seeded(1))(net, few, cross_entropy)
    ours = grads(net)
    own = seeded(1)
    views = [Jitter()(as_tensor(few.x), table.schema, own) for _ in range(3)]
    net.zero_grad()
    mean(net, Batch(torch.cat(views), few.y.repeat(3)), cross_entropy)
    assert torch.allclose(ours, grads(net), atol=1e-6)
    net.zero_grad()


@pytest.mark.parametrize("clipping", [Flat(), PerLayer(), Automatic()], ids=str)
@pytest.mark.parametrize("bad", [1e3, 1e20, 1e38, inf, -inf, nan])
def test_one_example_with_all_its_views_moves_the_sum_by_at_most_the_norm(table, clipping, bad):
    net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2))
    x = as_tensor(batch(table).x).clone()
    x[2] = bad
    full = Batch(x, batch(table).y)
    own = seeded(3)
    views = stacked(full, 3, lambda v: v * (1 + torch.rand(v.shape, generator=own)))
    loss, kept = over_views(cross_entropy), torch.tensor([0, 1, 3, 4, 5])
    a = Engine().total(net, views, loss, clipping, 0.7)
    b = Engine().total(net, views.take(kept), loss, clipping, 0.7)
    assert all(v.isfinite().all() for v in a.values())
    moved = torch.stack([(a[n] - b[n]).double().norm() for n in a]).norm()
    assert float(moved) <= 0.7 * (1 + 1e-5)


def test_change_without_views_is_a_mistake():
    with pytest.raises(ValueError, match="more than one"):
        DPSGD(change=Jitter())


@pytest.mark.parametrize(
    ("part", "bad"),
    [(ShiftAndFlip, {"reach": 1.5}), (ShiftAndFlip, {"reach": -0.1}), (Jitter, {"strength": 0.0}),
     (DPSGD, {"views": 0})],
)  # fmt: skip
def test_nonsense_is_refused_before_anything_runs(part, bad):
    with pytest.raises(BadRecipe):
        construct(part, bad, where="change")


@pytest.mark.parametrize("change", [ShiftAndFlip(flips=True), Jitter(strength=0.3)])
def test_they_survive_the_recipe_file(change):
    step = replace(DPSGD(), views=2, change=change)
    assert encode(step)["change"]["use"].startswith("privacy.")
    assert decode(encode(step), Step) == step
