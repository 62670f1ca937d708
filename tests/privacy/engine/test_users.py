"""Users in the place of examples: sampled, clipped and protected as a whole."""

from dataclasses import replace
from math import inf, nan, sqrt
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from fivefold.core.codec import decode, encode
from fivefold.core.data import Batch, Seen, as_tensor
from fivefold.core.errors import BadInput, BadRecipe
from fivefold.core.evidence import Evidence
from fivefold.core.loss import cross_entropy, squared_error
from fivefold.core.schema import Column, Schema
from fivefold.core.step import Step
from fivefold.models import MLP, fresh
from fivefold.privacy import DPSGD, AdaptiveClipping, Epsilon, Jitter
from fivefold.privacy.engine.users import Users, user_batches, users_of
from fivefold.privacy.plan import Plan
from fivefold.recipe.walk import apply
from fivefold.training.gradient import mean
from fivefold.training.private.clipping import Automatic, Flat, PerLayer
from fivefold.training.private.engine import Engine
from fivefold.training.private.views import over_views, stacked
from fivefold.training.private_gradient import ClippedNoisy
from onebyone import clipped, distance, each, engine_sum
from seeding import seeded

QUICK: dict[str, Any] = {"noise_multiplier": 1.0, "steps": 3}
OWNERS = torch.tensor([7.0, 2.0, 7.0, 7.0, 5.0, 2.0, 7.0])
SCHEMA = Schema(columns=tuple(Column(name=f"c{i}") for i in range(3)), shape=(3,))


def few(owners=OWNERS):
    x = torch.randn(len(owners), 3, generator=seeded())
    x[:, 1] = owners
    return Batch(x, torch.arange(len(owners)) % 2)


@pytest.fixture(scope="module")
def owned(table):
    """The table, where column c4 says whose each row is: 50 users, some with one row and some with many."""

    def marked(part):
        x = as_tensor(part.x).clone()
        x[:, 4] = (50 * torch.rand(len(x), generator=seeded(9)) ** 2).floor()
        return Batch(x, part.y)

    columns = list(table.schema.columns)
    columns[4] = Column(name="c4", kind="integer", low=0.0, high=50.0, center=25.0, scale=1e6)
    seen = Seen(marked(table.splits.seen.train), marked(table.splits.seen.valid))
    splits = table.splits._replace(seen=seen, test=marked(table.splits.test))
    return table._replace(schema=replace(table.schema, columns=tuple(columns)), splits=splits)


@pytest.fixture(scope="module")
def model(owned):
    return fresh(MLP(hidden=(16,)), owned, seeded())


def plan(**more: Any):
    given: dict[str, Any] = {"rate": 0.3, "steps": 400, "noise_multiplier": 1.0, "clip_norm": 1.0, "delta": 1e-3, **more}  # fmt: skip
    return Plan(**given)


def test_rows_are_put_to_their_users():
    known = users_of(few(), SCHEMA, "c1")
    ends = (known.first + known.held).tolist()
    found = [known.rows[a:b].tolist() for a, b in zip(known.first.tolist(), ends, strict=True)]
    assert found == [[1, 5], [4], [0, 2, 3, 6]]
    assert known.n == 3


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    owners=st.lists(st.integers(0, 6), min_size=1, max_size=30),
    size=st.integers(1, 9),
    seed=st.integers(0, 1000),
)
def test_a_user_gives_rows_of_its_own_as_evenly_as_can_be(owners, size, seed):
    held = torch.tensor(owners)
    known = users_of(Batch({"who": held}, held), Schema(), "who")
    names = held.unique()
    drawn = known.drawn(torch.arange(known.n), size, seeded(seed))
    assert drawn.shape == (known.n, size)
    for name, row in zip(names, drawn, strict=True):
        mine = (held == name).nonzero()[:, 0].tolist()
        times = [row.tolist().count(r) for r in mine]
        assert sum(times) == size
        assert max(times) - min(times) <= 1


def test_every_row_of_a_user_is_drawn_as_often():
    known = Users(torch.arange(5), torch.tensor([0]), torch.tensor([5]))
    times = torch.zeros(5)
    for seed in range(2000):
        times += known.drawn(torch.tensor([0]), 2, seeded(seed))[0].bincount(minlength=5)
    assert float(((times - 800) ** 2 / 800).sum()) < 18.5  # 4 degrees of freedom: 1 in 1000


def test_users_are_sampled_at_the_rate_whatever_they_hold():
    known = users_of(few(), SCHEMA, "c1")
    seen = torch.zeros(3)
    sizes: list[int] = []
    for batch in user_batches(plan(), few(), known, 2, lambda: seeded(3)):
        assert batch.y.shape == (batch.size, 2)
        owners = as_tensor(batch.x)[:, :, 1]
        assert (owners[:, :1] == owners).all()
        assert len(owners[:, 0].unique()) == batch.size
        seen += (owners[:, :1] == torch.tensor([2.0, 5.0, 7.0])).sum(0)
        sizes.append(batch.size)
    deviation = sqrt(400 * 0.3 * 0.7)
    assert ((seen - 120).abs() < 4 * deviation).all()
    assert sizes.count(0) == pytest.approx(400 * 0.7**3, abs=4 * sqrt(400 * 0.343 * 0.657))


def test_each_reading_draws_anew():
    known, seeds = users_of(few(), SCHEMA, "c1"), iter(range(99))
    draws = user_batches(plan(steps=30), few(), known, 1, lambda: seeded(next(seeds)))
    a, b = ([batch.size for batch in draws] for _ in range(2))
    assert a != b


def net():
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 3)).double()


def grouped(n=5, size=3, seed=0):
    own = seeded(seed)
    x = torch.randn(n, size, 3, generator=own, dtype=torch.float64)
    return Batch(x, torch.randint(3, (n, size), generator=own))


@pytest.mark.parametrize("method", ["together", "alone"])
def test_the_mean_over_a_user_is_what_is_clipped(method):
    made, batch = net(), grouped()
    x = as_tensor(batch.x)
    parts = [each(made, Batch(x[:, k], batch.y[:, k])) for k in range(3)]
    truth = {n: torch.stack([p[n] for p in parts]).mean(0) for n in parts[0]}
    ours = engine_sum(made, batch, loss=over_views(cross_entropy), method=method)
    assert distance(ours, clipped(truth, 0.5)) < 1e-8


def test_targets_may_be_numbers():
    made = nn.Linear(3, 1).double()
    batch = grouped()._replace(y=torch.randn(5, 3, generator=seeded(8), dtype=torch.float64))
    ours = over_views(squared_error)(made, batch)
    slow = [squared_error(made, Batch(x, y)).mean() for x, y in zip(as_tensor(batch.x), batch.y, strict=True)]  # fmt: skip
    assert torch.allclose(ours, torch.stack(slow))


@pytest.mark.parametrize("clipping", [Flat(), PerLayer(), Automatic()], ids=str)
@pytest.mark.parametrize("bad", [1e3, 1e20, 1e38, inf, -inf, nan])
def test_one_user_moves_sum_and_count_by_no_more_than_is_paid_for(clipping, bad):
    """Whatever is in whichever of its examples."""
    for rows in (slice(0, 1), slice(0, 3)):
        made, batch = net().float(), grouped()
        x = as_tensor(batch.x).float()
        x[2, rows] = bad
        full, kept = Batch(x, batch.y), torch.tensor([0, 1, 3, 4])
        loss = over_views(cross_entropy)
        a, with_it = Engine().clipped(made, full, loss, clipping, 0.7)
        b, without = Engine().clipped(made, full.take(kept), loss, clipping, 0.7)
        assert all(v.isfinite().all() for v in a.values())
        assert distance(a, b) <= 0.7 * (1 + 1e-5)
        assert abs(with_it - without) <= 0.5 + 1e-4


def rule(**more: Any):
    given: dict[str, Any] = {
        "clip_norm": inf,
        "noise_multiplier": 0.0,
        "expected_size": 5.0,
        **more,
    }
    return ClippedNoisy(noise=seeded(), **given)


def grads(made):
    return {n: p.grad.clone() for n, p in made.named_parameters()}


def test_without_noise_and_clipping_it_is_plain_gradient_descent():
    made, batch = net(), grouped()
    rule()(made, batch, cross_entropy)
    ours = grads(made)
    made.zero_grad()
    mean(made, Batch(as_tensor(batch.x).flatten(0, 1), batch.y.flatten()), cross_entropy)
    assert distance(ours, grads(made)) < 1e-9


def test_the_views_of_a_users_examples_stand_side_by_side():
    own, batch = seeded(1), grouped()
    views = stacked(batch, 2, lambda x: x + torch.randn(x.shape, generator=own, dtype=x.dtype))
    x = as_tensor(views.x)
    assert x.shape == (5, 6, 3)
    assert torch.equal(views.y, batch.y.repeat_interleave(2, 1))
    assert (x[:, ::2] - as_tensor(batch.x)).abs().max() < 6
    assert stacked(grouped(0), 2, lambda x: x).y.shape == (0, 6)
    made, same = net(), stacked(batch, 2, lambda x: x)
    loss = over_views(cross_entropy)
    assert distance(engine_sum(made, same, loss=loss), engine_sum(made, batch, loss=loss)) < 1e-8


def test_a_batch_without_users_is_a_step_of_noise():
    wide = nn.Sequential(nn.Linear(3, 4000), nn.Linear(4000, 3))
    none = Batch(torch.zeros(0, 4, 3), torch.zeros(0, 4).long())
    rule(clip_norm=0.5, noise_multiplier=3.0)(wide, none, cross_entropy)
    noise = torch.cat([p.grad.flatten() for p in wide.parameters() if p.grad is not None]) * 5
    assert float(noise.std()) == pytest.approx(1.5, rel=0.02)


@pytest.mark.parametrize(
    "more", [{}, {"clipping": AdaptiveClipping()}, {"views": 2, "change": Jitter()}]
)
def test_it_learns(model, owned, more):
    step = DPSGD(
        insecure_seed=0, user="c4", per_user=4, rate=0.5, steps=150, method="together", **more
    )
    after = step(model, owned.splits.seen, rng=seeded())
    found = after.predict(owned.splits.test.x).argmax(-1) == owned.splits.test.y
    assert float(found.double().mean()) > 0.8


def test_the_claim_is_about_users_and_costs_the_same(model, owned):
    step = DPSGD(noise_multiplier=2.0, steps=10, user="c4", per_user=3)
    told, plain = step.claim(250).privacy, replace(step, user=None, per_user=1)
    assert (told["unit"], told["owners"]) == ("user", "column c4")
    after = apply(step, "private", model, owned.splits.seen, seeded(1))
    (one,) = Epsilon()(after, owned.splits, rng=seeded())
    assert isinstance(one, Evidence)
    assert one.high == pytest.approx(plain.plan(250).epsilon())
    assert "user with all of their rows" in str(one.note)
    both = apply(plain, "more", after, owned.splits.seen, seeded(1))
    (mixed,) = Epsilon()(both, owned.splits, rng=seeded())
    assert isinstance(mixed, Evidence)
    assert "user with all of their rows" not in str(mixed.note)


def test_the_sum_is_divided_by_the_expected_number_of_users(model, owned):
    step = DPSGD(user="c4", per_user=3, rate=0.2, clipping=AdaptiveClipping(), **QUICK)
    n_users = len(as_tensor(owned.splits.seen.train.x)[:, 4].unique())
    sources = step._sources()
    draws, n = step._batches(owned.splits.seen, owned.schema, sources)
    made = step._gradient(250, n, owned.schema, sources)
    assert n == n_users
    assert made.expected_size == pytest.approx(0.2 * n_users)
    assert made.moving is not None
    assert made.moving.expected_size == made.expected_size
    assert len(draws) == 3


@pytest.mark.parametrize("bad", [nan, inf, 0.5, 2.0**24, -(2.0**24)])
def test_users_that_cannot_be_told_apart_are_refused(bad):
    """Two users taken for one would move the sum by twice the norm."""
    owners = OWNERS.clone()
    owners[3] = bad
    with pytest.raises(BadInput, match="whose each example"):
        users_of(few(owners), SCHEMA, "c1")


def test_how_large_a_number_may_be_depends_on_its_kind():
    for dtype, largest in ((torch.float16, 2**11), (torch.float32, 2**24), (torch.float64, 2**53)):
        held = torch.tensor([0, largest - 1, largest - 2]).to(dtype)
        assert users_of(Batch({"who": held}, held), Schema(), "who").n == 3
        more = held + 1
        with pytest.raises(BadInput, match="whose each example"):
            users_of(Batch({"who": more}, more), Schema(), "who")


def test_whole_numbers_of_a_mapping_may_be_large():
    held = torch.tensor([2**40, 2**40 + 1, 2**40])
    assert users_of(Batch({"who": held}, held), Schema(), "who").n == 2


@pytest.mark.parametrize(
    ("x", "schema", "known"),
    [(torch.zeros(3, 3), SCHEMA, "c0, c1, c2"), (torch.zeros(3, 1, 2, 2), Schema(shape=(1, 2, 2)), "-"),
     ({"a": torch.zeros(3), "b": torch.zeros(3, 2)}, Schema(), "a")],
)  # fmt: skip
def test_a_column_that_is_not_there_is_refused(x, schema, known):
    with pytest.raises(BadInput, match="no column nobody") as caught:
        users_of(Batch(x, torch.zeros(3)), schema, "nobody")
    assert known in str(caught.value)


def test_examples_of_users_that_nobody_knows_are_a_mistake():
    with pytest.raises(ValueError, match="column of the user"):
        DPSGD(per_user=3)


def test_a_delta_that_allows_publishing_a_user_is_refused():
    with pytest.raises(BadRecipe, match="1000"):
        DPSGD(delta=1e-3, user="c4", **QUICK).claim(1000)


def test_it_survives_the_recipe_file():
    step = DPSGD(user="c4", per_user=3, average=0.9)
    assert decode(encode(step), Step) == step
