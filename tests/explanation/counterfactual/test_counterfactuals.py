import pytest
import torch
from games import of_columns
from hypothesis import given, settings
from hypothesis import strategies as st
from searching import found_for
from sklearn.tree import DecisionTreeClassifier

from fivefold.core.errors import BadInput, NotMeasurable
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.explanation import counterfactuals
from fivefold.models import SklearnModel
from seeding import seeded

YES_NO = Task(classes=("no", "yes"))
GRID = 0.011  # numbers are rounded by at most a hundredth of the unit


def linear(w: torch.Tensor, b: float = 0.0):
    """Log-odds w.x + b of the class yes."""
    return of_columns(
        len(w), lambda x: torch.stack([-(x @ w.double() + b), x @ w.double() + b], 1) / 2, YES_NO
    )


def wide(n: int, size: int = 200, seed: int = 9) -> torch.Tensor:
    return 3 * torch.randn(size, n, generator=seeded(seed))


@settings(max_examples=10, deadline=None, derandomize=True)
@given(n=st.integers(1, 6), seed=st.integers(0, 1000))
def test_the_smallest_change_of_a_linear_model_is_its_steepest_column(n, seed):
    w = torch.randn(n, generator=seeded(seed)) + 0.1
    x = torch.randn(3, n, generator=seeded(seed + 1))
    found = found_for(linear(w), x, wide(n), seed=0, plausibility=0)
    shortest = (x @ w).abs() / w.abs().max()
    assert found.found[:, 0].all()
    assert (found.n_changed[:, 0] == 1).all()
    assert (found.distance[:, 0] >= shortest - 1e-5).all()
    assert (found.distance[:, 0] <= 1.02 * shortest + GRID).all()


def test_a_column_that_is_at_its_end_leaves_the_rest_to_the_next(rng):
    model = linear(torch.tensor([3.0, 2.0, 0.1]))
    columns = (Column(name="a", high=1.0), Column(name="b"), Column(name="c"))
    model = type(model)(model.function, Schema(columns=columns, shape=(3,)), YES_NO)
    x = torch.tensor([[0.0, -3.0, 0.0]])  # log-odds -6: 1 of a gives 3, 1.5 of b the other 3
    found = found_for(model, x, wide(3), seed=0, plausibility=0, sparsity=0)
    assert found.distance[0, 0] == pytest.approx(2.5, abs=0.06)
    assert found.values[0, 0, 0] <= 1


def test_the_model_itself_gives_the_wanted_answer(trained, table, rng):
    x, background = table.splits.test.x[:20], table.splits.seen.train.x
    found = found_for(trained, x, background, seed=0)
    before = trained.predict(x).argmax(1)
    assert found.found[:, 0].all()
    for row, answer in found.found.nonzero().tolist():
        told = trained.predict(found.values[row, answer][None])
        assert told.argmax(1) != before[row]
        assert torch.allclose(told[0].double(), found.outputs[row, answer], atol=1e-4)
    columns = found.values[:, 0] != x
    often = columns.float().mean(0)
    assert often[:2].min() > 2 * often[2:].max()  # the class is the sign of c0 + c1


def test_answers_differ_in_the_columns_they_change(rng):
    found = found_for(linear(torch.ones(4)), -torch.ones(1, 4) / 4, wide(4), seed=0)
    sets = [{c.column for c in found.changes(0, a)} for a in range(3)]
    assert found.found.all()
    assert all(len(s) == 1 for s in sets)
    assert len({frozenset(s) for s in sets}) == 3


def test_trees_are_crossed_at_their_thresholds(rng):
    x = 2 * torch.rand(400, 3, generator=rng) - 1
    y = ((x[:, 0] > 0.3) & (x[:, 1] > -0.2)).long()
    tree = DecisionTreeClassifier(random_state=0).fit(x.numpy(), y.numpy())
    columns = tuple(Column(name=f"c{i}", low=-1, high=1) for i in range(3))
    model = SklearnModel(estimator=tree, task=YES_NO, schema=Schema(columns=columns, shape=(3,)))
    rows = torch.tensor([[0.1, 0.5, 0.0], [0.6, -0.7, 0.9]])
    found = found_for(model, rows, x, "yes", seed=0, plausibility=0)
    assert [c.column for c in found.changes(0)] == ["c0"]
    assert [c.column for c in found.changes(1)] == ["c1"]
    assert found.distance[:, 0].tolist() == pytest.approx([0.2, 0.5], abs=0.04)


def test_a_number_is_moved_into_a_range(trained_numbers, numbers, rng):
    x = numbers.splits.test.x[:15]
    found = found_for(trained_numbers, x, numbers.splits.seen.train.x, (2.0, 3.0), seed=0)
    there = trained_numbers.predict(x)[:, 0]
    is_inside = (there >= 2) & (there <= 3)
    assert torch.equal(found.is_done, is_inside)
    assert torch.equal(found.found[:, 0], ~is_inside)
    told = trained_numbers.predict(found.values[~is_inside, 0])[:, 0]
    assert ((told >= 2) & (told <= 3)).all()


def test_a_margin_goes_beyond_the_border(rng):
    model, x = linear(torch.tensor([1.0, 0.5])), torch.tensor([[-1.0, 0.0]])
    found = found_for(model, x, wide(2), margin=2.0, plausibility=0)
    assert found.distance[0, 0] == pytest.approx(3.0, abs=0.03)


def test_of_several_classes_the_wanted_one_is_reached(trained_images, rng):
    model = of_columns(3, lambda x: x, Task(classes=("a", "b", "c")))
    x = torch.tensor([[2.0, 1.0, 0.0], [0.0, 1.0, 3.0]])
    found = found_for(model, x, wide(3), "c", seed=0)
    assert found.is_done.tolist() == [False, True]
    assert found.outputs[0, 0].argmax() == 2
    assert not found.found[1].any()


def test_a_plausible_change_keeps_to_where_the_background_lies(rng):
    """Rows lie on a line; leaving it turns the answer sooner than going along it, to where nobody is."""
    t = torch.linspace(-3, 3, 300)
    near = torch.stack([t, t + 0.1 * torch.randn(300, generator=rng)], 1)
    model = linear(torch.tensor([1.0, 1.0]))
    x = torch.tensor([[-1.0, -1.0]])
    short = found_for(model, x, near, seed=0, plausibility=0)
    usual = found_for(model, x, near, seed=0, plausibility=5)
    assert not short.is_plausible[0, 0]
    assert usual.is_plausible[0, 0]
    assert usual.outlier[0, 0] < short.outlier[0, 0]


def test_the_same_seed_gives_the_same_answers_and_rows_do_not_depend_on_company(trained, table):
    x, background = table.splits.test.x[:6], table.splits.seen.train.x
    whole = found_for(trained, x, background, seed=3)
    again = found_for(trained, x, background, seed=3)
    assert torch.equal(whole.values.nan_to_num(9), again.values.nan_to_num(9))
    assert torch.equal(whole.n_evaluations, again.n_evaluations)
    for row in range(3):
        alone = found_for(trained, x[row : row + 1], background, seed=3)
        assert torch.allclose(
            alone.values[0].nan_to_num(9), whole.values[row].nan_to_num(9), atol=1e-5
        )


def test_a_gap_may_be_filled_and_a_value_never_becomes_a_gap(rng):
    columns = (Column(name="a", is_optional=True), Column(name="b", is_optional=True))
    schema = Schema(columns=columns, shape=(2,))

    def answer(x):
        score = x[:, 0].nan_to_num(-1.0) + 0.01 * x[:, 1].nan_to_num(50.0)
        return torch.stack([-score, score], 1)

    model = type(linear(torch.ones(1)))(answer, schema, YES_NO)
    background = wide(2)
    background[::3, 0], background[::4, 1] = torch.nan, torch.nan
    x = torch.tensor([[torch.nan, 0.0], [-0.4, 0.0]])
    found = found_for(model, x, background, seed=0)
    assert found.found[:, 0].all()
    assert [c.column for c in found.changes(0)] == ["a"]
    assert not found.values[found.found].isnan().any()


@pytest.mark.parametrize("want", ["maybe", 2, (0.0, 1.0)])
def test_a_class_that_does_not_exist_is_refused(want, trained, table, rng):
    with pytest.raises(BadInput, match="not a class"):
        found_for(trained, table.splits.test.x[:2], table.splits.test.x, want, seed=0)


@pytest.mark.parametrize("want", [None, "up", (1.0, 0.0)])
def test_a_number_needs_a_range(want, trained_numbers, numbers, rng):
    x = numbers.splits.test.x
    with pytest.raises(BadInput, match="not a range"):
        found_for(trained_numbers, x[:2], x, want, seed=0)


def test_the_one_call_is_the_dataclass_with_its_defaults(rng):
    x = torch.tensor([[-1.0, 0.0]])
    found = counterfactuals(linear(torch.ones(2)), x, wide(2), "yes", rng=rng)
    assert found.found[0, 0]
    assert found.seconds == 10


def test_images_and_broken_models_are_refused(trained_images, images, rng):
    x = images.splits.test.x
    with pytest.raises(NotMeasurable, match="attacks"):
        found_for(trained_images, x[:2], x, seed=0)
    broken = of_columns(2, lambda x: x * torch.nan, YES_NO)
    with pytest.raises(NotMeasurable, match="finite"):
        found_for(broken, torch.ones(1, 2), wide(2), seed=0)
