import pytest
import torch
from games import of_columns
from hypothesis import given, settings
from hypothesis import strategies as st
from searching import FOREVER, found_for

from fivefold.core.errors import BadInput
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.explanation import Counterfactual
from seeding import seeded

YES_NO = Task(classes=("no", "yes"))


@st.composite
def columns(draw, name):
    kind = draw(st.sampled_from(["number", "integer", "category"]))
    low, high = draw(st.sampled_from([(None, None), (-2.5, None), (None, 1.5), (-3.2, 3.7)]))
    return Column(
        name=name,
        kind=kind,
        categories=("x", "y", "z") if kind == "category" else (),
        low=None if kind == "category" else low,
        high=None if kind == "category" else high,
        scale=draw(st.sampled_from([0.5, 1.0, 2.0])),
        is_optional=draw(st.booleans()),
        is_immutable=draw(st.sampled_from([False, False, True])),
        monotone=draw(st.sampled_from([-1, 0, 1])),
    )


schemas = st.integers(1, 5).flatmap(lambda n: st.tuples(*(columns(f"c{i}") for i in range(n))))


def rows_of(schema: Schema, n: int, seed: int) -> torch.Tensor:
    rng = seeded(seed)
    x = 2 * torch.randn(n, len(schema.columns), generator=rng)
    for i, column in enumerate(schema.columns):
        if column.is_category:
            x[:, i] = torch.randint(3, (n,), generator=rng).float()
        elif column.kind == "integer":
            x[:, i] = x[:, i].round().clamp(-2, 1)
        else:
            x[:, i] = x[:, i].clamp(-2.5, 1.5)
        if column.is_optional:
            x[torch.rand(n, generator=rng) < 0.2, i] = torch.nan
    return x


def broken_rules(schema: Schema, way: int, old: list[float], new: list[float], method) -> list[str]:
    """The rules in plain words, one value at a time."""
    found = []
    for column, a, b in zip(schema.columns, old, new, strict=True):
        if a == b or (a != a and b != b):
            continue
        trend = 0 if column.is_category else way * column.monotone
        rises_only = trend > 0 or column.name in method.rising
        falls_only = trend < 0 or column.name in method.falling
        found += [f"{column.name} is fixed"] * (column.is_immutable or column.name in method.fixed)
        found += [f"{column.name} became unknown"] * (b != b)
        found += [f"{column.name} may only rise"] * (rises_only and not b > a)
        found += [f"{column.name} may only fall"] * (falls_only and not b < a)
        if column.is_category:
            found += [f"{column.name} has no such name"] * (b not in (0, 1, 2))
        else:
            found += [f"{column.name} is no whole number"] * (
                column.kind == "integer" and b != round(b)
            )
            found += [f"{column.name} is out of range"] * (
                b < (column.low if column.low is not None else -torch.inf) - 1e-6
                or b > (column.high if column.high is not None else torch.inf) + 1e-6
            )
    return found


@settings(max_examples=20, deadline=None, derandomize=True)
@given(parts=schemas, seed=st.integers(0, 10_000), data=st.data())
def test_no_answer_breaks_a_rule_and_every_answer_turns_the_model(parts, seed, data):
    schema = Schema(columns=parts, shape=(len(parts),))
    w = torch.randn(len(parts), generator=seeded(seed)).double()

    def answer(x):
        score = x.nan_to_num(0.3) @ w + 0.3 * x.nan_to_num(0.0).prod(1).sin()
        return torch.stack([-score, score], 1)

    model = type(of_columns(1, answer))(answer, schema, YES_NO)
    x, background = rows_of(schema, 4, seed + 1), rows_of(schema, 80, seed + 2)
    numbers = [c.name for c in parts if not c.is_category]
    some = st.lists(st.sampled_from(numbers), max_size=1) if numbers else st.just([])
    method = Counterfactual(
        budget=800, seconds=FOREVER, rising=tuple(data.draw(some)), fixed=tuple(data.draw(some))
    )
    found = method(model, x, background, rng=seeded(seed))
    before = model.predict(x).argmax(1)
    for row, turn in found.found.nonzero().tolist():
        new = found.values[row, turn]
        way = 1 - 2 * int(before[row])
        assert broken_rules(schema, way, x[row].tolist(), new.tolist(), method) == []
        assert model.predict(new[None]).argmax(1) != before[row]
        assert found.n_changed[row, turn] >= 1
    assert (found.n_evaluations <= 800 + 2 * method.n).all()


def test_where_nothing_may_change_the_failure_is_said():
    frozen = tuple(Column(name=n, is_immutable=True) for n in "ab")
    model = type(of_columns(1, torch.abs))(
        lambda x: torch.stack([-x.sum(1), x.sum(1)], 1), Schema(columns=frozen, shape=(2,)), YES_NO
    )
    found = found_for(model, torch.ones(2, 2), torch.randn(50, 2, generator=seeded()), seed=0)
    assert not found.found.any()
    assert not found.is_stopped.any()
    assert "No column" in found.sentences(1)[0]
    assert found.n_evaluations.tolist() == [0, 0]


def test_a_constant_model_has_no_answer_and_the_number_of_tries_is_told():
    model = of_columns(2, lambda x: torch.stack([0 * x[:, 0], 1 + 0 * x[:, 0]], 1), YES_NO)
    x = torch.randn(3, 2, generator=seeded())
    found = found_for(model, x, torch.randn(50, 2, generator=seeded(1)), seed=0)
    assert not found.found.any()
    assert (found.n_evaluations > 100).all()
    assert f"None found in {int(found.n_evaluations[0])} evaluations" in found.sentences(0)[0]
    assert found.distance.isinf().all()


def test_directions_of_users_are_kept():
    model = of_columns(2, lambda x: torch.stack([-x.sum(1), x.sum(1)], 1), YES_NO)
    x = torch.tensor([[-1.0, -1.0]])
    background = torch.randn(100, 2, generator=seeded()) * 3
    up = found_for(model, x, background, seed=0, falling=("c0",))
    assert all([c.column for c in up.changes(0, a)] == ["c1"] for a in range(1))
    none = found_for(model, x, background, seed=0, falling=("c0", "c1"))
    assert not none.found.any()


def test_a_declared_trend_is_not_contradicted():
    """The model errs: it rises as c0 falls. The schema says otherwise, so that c0 is no way out."""
    columns = (Column(name="c0", monotone=1), Column(name="c1"))
    model = type(of_columns(1, torch.abs))(
        lambda x: torch.stack([5 * x[:, 0] - x[:, 1], x[:, 1] - 5 * x[:, 0]], 1),
        Schema(columns=columns, shape=(2,)),
        YES_NO,
    )
    x = torch.tensor([[1.0, 0.0]])
    found = found_for(model, x, 4 * torch.randn(100, 2, generator=seeded()), "yes", seed=0)
    assert [c.column for c in found.changes(0)] == ["c1"]


@pytest.mark.parametrize(
    "method",
    [
        Counterfactual(fixed=("age",)),
        Counterfactual(rising=("age",)),
        Counterfactual(falling=("age",)),
    ],
)
def test_columns_that_do_not_exist_are_refused(method, trained, table, rng):
    x = table.splits.test.x
    with pytest.raises(BadInput, match="no column age"):
        method(trained, x[:1], x, rng=rng)


def test_a_category_has_no_direction(rng):
    schema = Schema(columns=(Column(name="a", kind="category", categories=("p", "q")),), shape=(1,))
    model = type(of_columns(1, torch.abs))(lambda x: torch.cat([x, 0.5 - x], 1), schema, YES_NO)
    x = torch.ones(1, 1)
    with pytest.raises(BadInput, match="category"):
        found_for(model, x, x, seed=0, rising=("a",))
