"""A shallow tree that stands for a model."""

import numpy as np
import pytest
import torch
from games import of_columns
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeRegressor

from fivefold.core.schema import Column, Schema
from fivefold.explanation.glass_box import SurrogateTree, surrogate
from seeding import seeded


def numbers(n):
    return Schema(
        columns=tuple(Column(name=f"c{i}", is_optional=True) for i in range(n)), shape=(n,)
    )


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    n=st.integers(20, 120),
    gaps=st.floats(0, 0.4),
    depth=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_answers_as_the_tree_that_was_grown_gaps_included(n, gaps, depth, seed):
    rng = seeded(seed)
    x = torch.randn(n, 3, generator=rng)
    x[torch.rand(n, 3, generator=rng) < gaps] = torch.nan
    x[0] = 0.0
    y = (x.nan_to_num(2.0) @ torch.tensor([1.0, -2.0, 0.5])).double()[:, None]
    own = SurrogateTree(depth=depth, smallest_leaf=2).fit(numbers(3), x, y)
    twin = DecisionTreeRegressor(max_depth=depth, min_samples_leaf=2, random_state=0)
    twin.fit(x.numpy(), (y / y.std(0, correction=0)).numpy())
    wanted = twin.predict(x.numpy()) * float(y.std(0, correction=0))
    assert np.allclose(own.predict(x)[:, 0], wanted, atol=1e-9)


def test_a_step_is_found_where_it_is():
    model = of_columns(3, lambda x: torch.where(x[:, 1] > 0.5, 3.0, -1.0).double())
    x = torch.rand(600, 3, generator=seeded())
    found = surrogate(model, x[:400], x[400:], SurrogateTree(depth=1), rng=seeded())
    assert found.fidelity.value > 0.98
    below, above = found.glass.lines(("answer",), "units", "en")
    split = found.glass.splits[0]  # pyright: ignore[reportAttributeAccessIssue]
    assert split.column == 1
    assert split.threshold == pytest.approx(0.5, abs=0.01)
    assert below.startswith("If c1 ≤ ")
    assert "answer -1 (units)" in below
    assert above.startswith("If c1 > ")
    assert "answer 3 (units)" in above


def test_rules_say_where_each_row_belongs():
    """A row fulfils the conditions of the leaf that it comes to, and of no other."""
    rng = seeded(3)
    x = torch.randn(300, 2, generator=rng)
    x[:, 1] = torch.randint(3, (300,), generator=rng).float()
    x[:40, 0] = torch.nan
    columns = (
        Column(name="age", is_optional=True),
        Column(name="town", kind="category", categories=("a", "b", "c")),
    )
    y = (3.0 * x[:, 0].isnan() + x[:, 0].nan_to_num() * (x[:, 1] == 2)).double()[:, None]
    tree = SurrogateTree(depth=4, smallest_leaf=5).fit(Schema(columns=columns, shape=(2,)), x, y)
    hits = torch.zeros(len(x))
    for rule in tree.rules():
        inside = torch.ones(len(x), dtype=torch.bool)
        for column, where in rule.where.items():
            values = x[:, column]
            is_gap = values.isnan()
            part = (values > where.low) & (values <= where.high) | (is_gap & where.takes_gaps)
            part &= (values == where.is_one) if where.is_one >= 0 else True
            for category in where.is_none:
                part &= values != category
            inside &= part
        assert int(inside.sum()) == rule.n_rows
        assert torch.allclose(tree.predict(x[inside]), rule.values.expand(rule.n_rows, -1))
        hits += inside
    assert bool((hits == 1).all())
    told = " ".join(tree.lines(("y",), "units", "en"))
    assert "age is missing" in told or "or missing" in told
    assert "town is c" in told
    assert "缺失" in " ".join(tree.lines(("y",), "units", "zh"))


def test_a_gap_never_seen_goes_where_most_rows_go():
    x = torch.cat([torch.zeros(30), torch.ones(90)])[:, None]
    tree = SurrogateTree().fit(numbers(1), x, x.double())
    assert float(tree.predict(torch.tensor([[torch.nan]]))[0, 0]) == pytest.approx(1.0)


def test_every_class_has_its_own_score(table, trained):
    x = table.splits.seen.train.x
    found = surrogate(trained, x, table.splits.test.x, rng=seeded())
    assert found.agreement is not None
    assert found.agreement.low <= found.agreement.value <= found.agreement.high
    assert found.agreement.value > found.agreement.floor
    assert found.predict(x).shape == (len(x), 2)
    assert "log-odds" in str(found)
    assert found.plot(output="yes").texts
    assert "<svg" in found._repr_html_()
