from dataclasses import replace

import pytest
import torch
from games import Function, of_columns, random_game
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

from fivefold.core.codec import decode, encode
from fivefold.core.errors import BadInput, NotMeasurable
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.explanation import (
    BaselineRemoval,
    BlurRemoval,
    CopulaRemoval,
    ExactShapley,
    GaussianRemoval,
    LeverageSHAP,
    LinearSHAP,
    MarginalRemoval,
    NeighbourRemoval,
    OddKernelSHAP,
    Removal,
    TreeSHAP,
)
from fivefold.explanation.coalitions import every_set
from fivefold.explanation.exact import shapley_weights
from fivefold.explanation.game import play
from fivefold.explanation.question import asked
from fivefold.explanation.removal.blur import blurred
from fivefold.explanation.removal.dependence import correlation
from fivefold.models import SklearnModel
from fivefold.perturb import Features
from seeding import seeded

ALL = (
    BaselineRemoval(kind="median"),
    MarginalRemoval(summary=5),
    GaussianRemoval(),
    CopulaRemoval(shrinkage=0.2),
    NeighbourRemoval(width=1.0),
)
ASKS = (ExactShapley(), LeverageSHAP(budget=64), OddKernelSHAP(budget=64))


def correlated(rows, columns, seed):
    """Rows of correlated normal columns, each of a centre and spread of its own."""
    rng = seeded(seed)
    mixing = torch.randn(columns, columns, generator=rng) + torch.eye(columns)
    return torch.randn(rows, columns, generator=rng) @ mixing + torch.randn(columns, generator=rng)


def scores(model, x, background, removal):
    """The game of every set of features, one set after another."""
    question = asked(model, x, background, Features(), removal=removal)
    return play(model, question, every_set(x.shape[1])).some


def conditional_game(w, x, mean, cov):
    """The closed form of a linear model: known columns, and the regression of the others on them."""
    out = []
    for kept in every_set(len(w)):
        s = torch.nonzero(kept)[:, 0]
        expected = mean.clone()
        if len(s):
            expected += cov[:, s] @ torch.linalg.solve(cov[s][:, s], x[s] - mean[s])
        out.append(w @ torch.where(kept, x, expected))
    return torch.stack(out)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(n=st.integers(1, 5), rows=st.integers(1, 3), seed=st.integers(0, 1000))
def test_gaussian_removal_has_the_closed_form_of_a_linear_model(n, rows, seed):
    background, x = correlated(40, n, seed), correlated(rows, n, seed + 1)
    w = torch.randn(n, generator=seeded(seed)).double()
    removal = GaussianRemoval(shrinkage=0.0)
    found = ExactShapley(removal=removal)(
        of_columns(n, lambda v: v @ w), x, background, rng=seeded()
    )
    behind = background.double()
    mean, cov = behind.mean(0), behind.T.cov(correction=0).reshape(n, n)
    for row, values in zip(x.double(), found.values[..., 0], strict=True):
        game = conditional_game(w, row, mean, cov)
        wanted = shapley_weights(every_set(n)) @ game
        assert torch.allclose(values, wanted, atol=1e-4 * (1 + float(game.abs().max())))


def test_gaussian_removal_finds_the_truth_from_many_rows():
    """Two columns of correlation 0.8 and a model of the first alone: the second gets 0.4 of its own value."""
    chol = torch.linalg.cholesky(torch.tensor([[1.0, 0.8], [0.8, 1.0]]))
    background = torch.randn(20_000, 2, generator=seeded(1)) @ chol.T
    x = torch.tensor([[1.0, 2.0]])
    model = of_columns(2, lambda v: v[:, 0])
    for removal in (GaussianRemoval(), CopulaRemoval()):
        found = ExactShapley(removal=removal)(model, x, background, rng=seeded()).values[0, :, 0]
        wanted = torch.tensor([(1 + 1 - 1.6) / 2, (1.6 + 1 - 1) / 2]).double()
        assert torch.allclose(found, wanted, atol=0.03)
    plain = ExactShapley()(model, x, background, rng=seeded()).values[0, :, 0]
    assert torch.allclose(plain, torch.tensor([1.0, 0.0]).double(), atol=0.03)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(n=st.integers(2, 4), seed=st.integers(0, 1000))
def test_gaussian_removal_agrees_with_one_mask_and_one_row_at_a_time(n, seed):
    background, x = correlated(12, n, seed), correlated(2, n, seed + 1)
    game = random_game(n, seed)
    model = of_columns(n, game)
    found = scores(model, x, background, GaussianRemoval(shrinkage=0.3))
    rows = background.double()
    mean, spread = rows.mean(0), rows.std(0, correction=0)
    corr = (((rows - mean) / spread).T @ ((rows - mean) / spread) / len(rows)) * 0.7
    corr += 0.3 * torch.eye(n)
    cov = corr * spread[:, None] * spread
    for i, row in enumerate(x.double()):
        for kept, score in zip(every_set(n), found[i, :, 0], strict=True):
            s, behind = torch.nonzero(kept)[:, 0], rows.clone()
            if len(s):
                behind += (row[s] - rows[:, s]) @ torch.linalg.solve(cov[s][:, s], cov[s])
            masked = torch.where(kept, row, behind)
            assert torch.isclose(model.predict(masked).mean(), score, atol=1e-4)


@pytest.mark.parametrize("removal", [GaussianRemoval(shrinkage=1.0), CopulaRemoval(shrinkage=1.0)])
def test_independent_columns_are_replaced_as_by_the_background(removal):
    background, x = correlated(15, 4, 3), correlated(3, 4, 4)
    model = of_columns(4, random_game(4, 1))
    plain = scores(model, x, background, MarginalRemoval())
    assert torch.allclose(scores(model, x, background, removal), plain, atol=1e-4)


def test_few_rows_of_independent_columns_are_not_believed_to_depend():
    """Of 20 rows of 10 independent columns most of what seems dependence is luck, and shrinkage knows."""
    rows = torch.randn(20, 10, generator=seeded(5)).double()
    points = (rows - rows.mean(0)) / rows.std(0, correction=0)
    off = ~torch.eye(10).bool()
    assert correlation(points, None)[off].norm() < 0.4 * correlation(points, 0.0)[off].norm()
    tied = torch.randn(200, 1, generator=seeded(6)).double().expand(-1, 3)
    tied = (tied - tied.mean(0)) / tied.std(0, correction=0)
    assert correlation(tied, None)[0, 1] > 0.98


def test_copula_keeps_what_was_seen_skewed_and_whole():
    rng = seeded(7)
    count = torch.randint(0, 5, (60,), generator=rng).float()
    skewed = torch.exp(count + torch.randn(60, generator=rng) / 4)
    background = torch.stack([count, skewed], 1)
    schema = Schema(columns=(Column(name="n", kind="integer"), Column(name="s")), shape=(2,))
    behind = CopulaRemoval().behind(schema, background)
    assert behind.given is not None
    x = torch.tensor([[0.0, 50.0], [4.0, 1.5]])
    which = torch.arange(60).expand(2, -1)
    for column in (0, 1):
        kept = torch.zeros(2, 2).bool()
        kept[:, 1 - column] = True
        found = behind.given(x, kept, which).values[..., column]
        assert found.min() >= background[:, column].min() - 1e-4
        assert found.max() <= background[:, column].max() + 1e-4
    hidden = behind.given(x, torch.tensor([[False, True]] * 2), which).values[..., 0]
    assert torch.equal(hidden, hidden.round())
    assert hidden[0].mean() > 3.2  # 50 is about e ** 4
    assert hidden[1].mean() < 1.2


def test_neighbours_follow_categories_and_gaps():
    """The number is 10 times the category, or missing: what is hidden comes from rows of the same category."""
    columns = (Column(name="kind", kind="category", categories=("a", "b")), Column(name="v", is_optional=True))  # fmt: skip
    model = Function(lambda v: v[:, 1].nan_to_num(-5.0), Schema(columns=columns, shape=(2,)))
    kinds = torch.arange(40) % 2
    background = torch.stack([kinds.float(), 10.0 * kinds], 1)
    background[:4, 1] = torch.nan
    x = torch.tensor([[1.0, 3.0]])
    found = scores(model, x, background, NeighbourRemoval(width=0.2))[0, :, 0]
    assert torch.isclose(found[1], torch.tensor((18 * 10 - 2 * 5) / 20).double())  # category known
    wide = scores(model, x, background, NeighbourRemoval(width=1e6))
    assert torch.allclose(wide, scores(model, x, background, MarginalRemoval()))


def test_neighbours_agree_with_weights_written_out():
    background, x = correlated(10, 3, 8), correlated(1, 3, 9)
    model = of_columns(3, random_game(3, 2))
    found = scores(model, x, background, NeighbourRemoval(width=0.7))[0, :, 0]
    rows, row = background.double(), x[0].double()
    for kept, score in zip(every_set(3), found, strict=True):
        away = (((rows - row) / rows.std(0, correction=0)) ** 2)[:, kept]
        mean = away.mean(1) if kept.any() else torch.zeros(10).double()
        weight = torch.exp(-mean / (2 * 0.49))
        answer = model.predict(torch.where(kept, row, rows))[:, 0]
        assert torch.isclose((weight * answer).sum() / weight.sum(), score, atol=1e-5)


def test_a_summary_keeps_what_a_linear_model_says():
    background, x = correlated(50, 4, 10), correlated(3, 4, 11)
    w = torch.randn(4, generator=seeded(12)).double()
    model = of_columns(4, lambda v: v @ w)
    whole = ExactShapley()(model, x, background, rng=seeded())
    for explainer in ASKS:
        brief = replace(explainer, removal=MarginalRemoval(summary=6))
        found = brief(model, x, background, rng=seeded())
        assert torch.allclose(found.values, whole.values, atol=1e-4)
        assert torch.allclose(found.base, whole.base, atol=1e-4)
        assert found.n_evaluations < whole.n_evaluations


def test_a_summary_of_a_mixed_table_is_made_of_its_rows():
    columns = (Column(name="kind", kind="category", categories=("a", "b", "c")), Column(name="v", is_optional=True))  # fmt: skip
    kinds = torch.randint(0, 3, (30,), generator=seeded(1)).float()
    background = torch.stack([kinds, torch.randn(30, generator=seeded(2))], 1)
    background[::7, 1] = torch.nan
    behind = MarginalRemoval(summary=5).behind(Schema(columns=columns, shape=(2,)), background)
    assert behind.weight is not None
    assert torch.isclose(behind.weight.sum(), torch.tensor(1.0).double())
    known = {tuple(r) for r in background.nan_to_num(99.0).tolist()}
    assert {tuple(r) for r in behind.rows.nan_to_num(99.0).tolist()} <= known
    few = torch.zeros(30, 2)
    assert (
        len(MarginalRemoval(summary=5).behind(Schema(columns=columns, shape=(2,)), few).rows) == 1
    )


def test_one_row_in_place_of_the_background():
    columns = (
        Column(name="n", kind="integer"),
        Column(name="k", kind="category", categories=("a", "b", "c")),
        Column(name="v", is_optional=True),
    )
    schema = Schema(columns=columns, shape=(3,))
    background = torch.tensor([[1.0, 2.0, torch.nan], [2.0, 2.0, 4.0], [5.0, 0.0, 1.0]])
    mean = BaselineRemoval().behind(schema, background).rows
    assert torch.equal(mean, torch.tensor([[3.0, 2.0, 2.5]]))
    own = BaselineRemoval(row=(1.0, 0.0, 7.0))
    model = Function(lambda v: v[:, 0] * v[:, 2], schema)
    x = torch.tensor([[2.0, 1.0, 9.0]])
    found = ExactShapley(removal=own)(model, x, background, rng=seeded())
    assert torch.isclose(found.base[0, 0], torch.tensor(7.0).double())
    assert found.gap.abs().max() < 1e-9
    with pytest.raises(BadInput, match="2 values"):
        ExactShapley(removal=BaselineRemoval(row=(1.0, 0.0)))(model, x, background, rng=seeded())
    with pytest.raises(BadInput, match="n is missing"):
        ExactShapley(removal=BaselineRemoval(row=(torch.nan, 0.0, 1.0)))(
            model, x, background, rng=seeded()
        )


@pytest.mark.parametrize("removal", ALL)
@pytest.mark.parametrize("explainer", ASKS, ids=lambda e: type(e).__name__)
def test_explainers_agree_and_add_up_under_every_removal(explainer, removal):
    background, x = correlated(12, 5, 13), correlated(3, 5, 14)
    model = of_columns(5, random_game(5, 3))
    truth = ExactShapley(removal=removal)(model, x, background, rng=seeded())
    found = replace(explainer, removal=removal)(model, x, background, rng=seeded())
    assert torch.allclose(found.values, truth.values, atol=1e-5)
    assert found.gap.abs().max() < 1e-8
    again = replace(explainer, removal=removal)(model, x, background, rng=seeded())
    assert torch.equal(found.values, again.values)


def picture_model():
    return Function(
        lambda v: (v.flatten(1) ** 2).sum(1) + v[:, 0, 0, 0] * v[:, 0, 3, 3],
        Schema(shape=(1, 4, 4)),
    )


@pytest.mark.parametrize("explainer", ASKS, ids=lambda e: type(e).__name__)
def test_each_image_is_its_own_blurred_background(explainer):
    x = torch.rand(3, 1, 4, 4, generator=seeded(15))
    model, removal, features = picture_model(), BlurRemoval(width=1.0), Features(grid=2)
    own = replace(explainer, removal=removal, features=features)
    found = own(model, x, x[:2], rng=seeded())
    assert torch.allclose(found.base, model.predict(blurred(x, 1.0)), atol=1e-6)
    for i in range(3):
        alone = ExactShapley(features=features)(
            model, x[i : i + 1], blurred(x[i : i + 1], 1.0), rng=seeded()
        )
        assert torch.allclose(found.values[i], alone.values[0], atol=1e-5)


def test_a_blur_leaves_flat_images_and_the_mean_of_others():
    flat = torch.full((1, 3, 6, 6), 0.4)
    assert torch.allclose(blurred(flat, 2.0), flat)
    dot = torch.zeros(1, 1, 21, 21)
    dot[0, 0, 10, 10] = 1.0
    soft = blurred(dot, 2.0)
    assert torch.isclose(soft.sum(), torch.tensor(1.0), atol=1e-3)
    assert soft[0, 0, 10, 10] < 0.06
    assert torch.allclose(soft, soft.transpose(2, 3))


def linear_model():
    x = torch.randn(30, 3, generator=seeded(16))
    estimator = LinearRegression().fit(x.numpy(), (x @ torch.tensor([1.0, 2.0, -1.0])).numpy())
    schema = Schema(columns=tuple(Column(name=f"c{i}") for i in range(3)), shape=(3,))
    return SklearnModel(estimator=estimator, task=Task(kind="regression"), schema=schema), x


def test_explainers_that_read_the_model_stay_interventional_and_say_so():
    model, x = linear_model()
    for removal in (GaussianRemoval(), NeighbourRemoval(), MarginalRemoval(summary=3)):
        with pytest.raises(NotMeasurable, match="LinearSHAP is exact for hidden features"):
            LinearSHAP(removal=removal)(model, x[:2], x, rng=seeded())
    own = LinearSHAP(removal=BaselineRemoval())(model, x[:2], x, rng=seeded())
    plain = LinearSHAP()(model, x[:2], x, rng=seeded())
    assert torch.allclose(own.values, plain.values, atol=1e-5)
    assert TreeSHAP(removal=GaussianRemoval()) != TreeSHAP()


def test_trees_refuse_what_depends_on_the_known():
    from sklearn.tree import DecisionTreeRegressor

    model, x = linear_model()
    tree = DecisionTreeRegressor(max_depth=3, random_state=0).fit(x.numpy(), x[:, 0].numpy())
    with pytest.raises(NotMeasurable, match="TreeSHAP is exact"):
        TreeSHAP(removal=GaussianRemoval())(
            SklearnModel(estimator=tree, task=model.task, schema=model.schema),
            x[:2],
            x,
            rng=seeded(),
        )


@pytest.mark.parametrize("removal", [GaussianRemoval(), CopulaRemoval()])
def test_what_cannot_be_fitted_is_refused(removal):
    mixed = Schema(columns=(Column(name="a"), Column(name="k", kind="category", categories=("x", "y"))), shape=(2,))  # fmt: skip
    with pytest.raises(NotMeasurable, match="k have categories"):
        removal.behind(mixed, torch.zeros(9, 2))
    with pytest.raises(NotMeasurable, match="have none"):
        removal.behind(Schema(shape=(1, 2, 2)), torch.zeros(9, 1, 2, 2))
    with pytest.raises(NotMeasurable, match="3 rows are too few"):
        ExactShapley(removal=removal)(
            of_columns(2, lambda v: v[:, 0]), torch.zeros(1, 2), torch.zeros(3, 2), rng=seeded()
        )


def test_only_images_can_be_blurred_and_weighted_rows_not_drawn():
    model = of_columns(2, lambda v: v[:, 0])
    x, background = torch.zeros(1, 2), correlated(9, 2, 1)
    with pytest.raises(NotMeasurable, match="Only images"):
        ExactShapley(removal=BlurRemoval())(model, x, background, rng=seeded())
    for removal in (NeighbourRemoval(), MarginalRemoval(summary=3)):
        with pytest.raises(NotMeasurable, match="one by one"):
            LeverageSHAP(draws=1, removal=removal)(model, x, background, rng=seeded())


def test_a_column_that_never_changes_harms_nobody():
    background = correlated(12, 3, 17)
    background[:, 1] = 2.0
    model = of_columns(3, random_game(3, 4))
    for removal in ALL:
        found = ExactShapley(removal=removal)(model, correlated(2, 3, 18), background, rng=seeded())
        assert found.values.isfinite().all()
        assert found.gap.abs().max() < 1e-9


@pytest.mark.parametrize("removal", [*ALL, BlurRemoval()])
def test_removals_survive_the_recipe_file(removal):
    assert isinstance(removal, Removal)
    assert decode(encode(LeverageSHAP(removal=removal)), LeverageSHAP) == LeverageSHAP(
        removal=removal
    )
