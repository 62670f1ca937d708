import csv
import json
from io import StringIO
from itertools import combinations
from math import factorial

import pytest
import torch
from games import Function, by_definition, of_columns, of_game, ones, random_game
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.codec import decode, encode
from fivefold.core.errors import BadInput, NotMeasurable
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.explanation import (
    ExactInteractions,
    ExactShapley,
    GaussianRemoval,
    MarginalRemoval,
    SampledInteractions,
    interactions,
)
from fivefold.explanation.interactions.index import pair_shares
from fivefold.explanation.interactions.kernel import gram, sections
from fivefold.explanation.interactions.result import is_sure
from fivefold.explanation.kernel_likelihood import Kernel
from fivefold.perturb import Features
from seeding import seeded


def index_by_definition(value, n):
    """What each pair adds beyond its members, over every set of others, with Grabisch and Roubens' weights."""
    found = torch.zeros(n, n, dtype=torch.float64)

    def of(*sets):
        inside = torch.zeros(1, n, dtype=torch.float64)
        inside[0, [i for s in sets for i in s]] = 1
        return float(value(inside)[0])

    for i, j in combinations(range(n), 2):
        others = [k for k in range(n) if k not in (i, j)]
        for size in range(n - 1):
            share = factorial(size) * factorial(n - size - 2) / factorial(n - 1)
            for t in combinations(others, size):
                gain = of(t, (i, j)) - of(t, (i,)) - of(t, (j,)) + of(t)
                found[i, j] += share * gain
                found[j, i] += share * gain
    return found


def exact(n, value):
    return ExactInteractions()(of_game(n, value), *ones(n), rng=seeded())


@settings(max_examples=20, deadline=None, derandomize=True)
@given(n=st.integers(1, 5), seed=st.integers(0, 10_000))
def test_agrees_with_the_definition(n, seed):
    game = random_game(n, seed)
    found = exact(n, game)
    assert torch.allclose(found.pairs[0, :, :, 0], index_by_definition(game, n), atol=1e-9)
    assert torch.allclose(found.shapley[0, :, 0], by_definition(game, n), atol=1e-9)
    assert found.gap.abs().max() < 1e-9


def test_a_product_is_all_interaction_and_a_sum_none():
    found = exact(4, lambda x: x[:, 0] * x[:, 2] + 3 * x[:, 1] - x[:, 3]).values[0, :, :, 0]
    wanted = torch.diag(torch.tensor([-0.5 + 0.5, 3, 0, -1]).double())
    wanted[0, 2] = wanted[2, 0] = 1
    assert torch.allclose(found, wanted)


def test_unanimity_games_have_their_closed_form():
    """Of a game that needs all of T every pair of T has the index 1 / (|T| - 1)."""
    for members in ((0, 2), (0, 1, 3), (0, 1, 2, 4)):
        found = exact(5, lambda x, m=members: x[:, list(m)].prod(1))
        inside = torch.zeros(5).double()
        inside[list(members)] = 1
        wanted = inside[:, None] * inside / (len(members) - 1) * (1 - torch.eye(5))
        assert torch.allclose(found.pairs[0, :, :, 0], wanted.double())
        assert torch.allclose(found.shapley[0, :, 0], inside / len(members))


def test_either_of_two_is_a_negative_interaction():
    found = exact(3, lambda x: torch.maximum(x[:, 0], x[:, 1]))
    assert torch.isclose(found.values[0, 0, 1, 0], torch.tensor(-1.0).double())
    assert torch.allclose(found.main[0, :, 0], torch.tensor([1.0, 1.0, 0.0]).double())


def test_pairs_do_not_depend_on_which_side_is_called_in():
    game = random_game(5, 3)
    one, other = exact(5, game), exact(5, lambda x: game(1 - x))
    assert torch.allclose(one.pairs, other.pairs, atol=1e-9)
    assert torch.allclose(one.shapley, -other.shapley, atol=1e-9)


def test_linear_in_the_model_and_symmetric():
    one, other = random_game(5, 1), random_game(5, 2)
    both = exact(5, lambda x: 2 * one(x) - other(x)).values
    assert torch.allclose(both, 2 * exact(5, one).values - exact(5, other).values, atol=1e-9)
    assert torch.equal(both, both.transpose(1, 2))


def test_all_rows_and_classes_at_once_and_shapley_values_as_elsewhere():
    net = torch.randn(4, 3, generator=seeded(3)).double()
    model = of_columns(4, lambda v: torch.tanh(v @ net) * 2, Task(classes=("a", "b", "c")))
    x, background = torch.randn(3, 4, generator=seeded(4)), torch.randn(6, 4, generator=seeded(5))
    found = ExactInteractions()(model, x, background, rng=seeded())
    assert found.values.shape == (3, 4, 4, 3)
    plain = ExactShapley()(model, x, background, rng=seeded())
    assert torch.allclose(found.shapley, plain.values, atol=1e-9)
    alone = ExactInteractions()(model, x[1:2], background, rng=seeded())
    assert torch.allclose(found.values[1], alone.values[0], atol=1e-9)
    same = ExactInteractions(removal=GaussianRemoval(shrinkage=1.0))(model, x, background, rng=seeded())  # fmt: skip
    assert torch.allclose(found.values, same.values, atol=1e-4)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(n=st.integers(1, 5), seed=st.integers(0, 1000), steps=st.integers(0, 2))
def test_a_budget_of_all_sets_is_exact(n, seed, steps):
    game = random_game(n, seed)
    found = SampledInteractions(budget=2**n, steps=steps)(of_game(n, game), *ones(n), rng=seeded())
    assert torch.allclose(found.values, exact(n, game).values, atol=1e-8)
    assert found.error is not None
    assert found.error.abs().max() == 0
    assert found.is_converged.all()


@settings(max_examples=8, deadline=None, derandomize=True)
@given(n=st.integers(2, 5), seed=st.integers(0, 1000))
def test_sections_have_the_interactions_of_their_kernel(n, seed):
    """The interactions of k(set, .) by enumeration are what the integrals say, and so are their variances."""
    rng = seeded(seed)
    kernel = Kernel(
        torch.rand(1, n, generator=rng).double() + 0.05,
        torch.rand(1, n, generator=rng).double() + 0.1,
        torch.rand(1, generator=rng).double() + 0.5,
    )
    signs = ((torch.arange(2**n)[:, None] >> torch.arange(n)) & 1).double() * 2 - 1
    matrix = gram(kernel, signs)[0]
    known = sections(kernel, 0, signs)

    def table(values):
        places = 2.0 ** torch.arange(n)
        return lambda inside: values[(inside @ places.double()).long()]

    row = int(torch.randint(2**n, (), generator=rng))
    assert torch.allclose(index_by_definition(table(matrix[row]), n), known.pairs[row], atol=1e-6)
    pairs = torch.stack([index_by_definition(table(column), n) for column in known.pairs.flatten(1).T])  # fmt: skip
    both = pairs.view(n, n, n, n)
    variance = torch.einsum("ijij->ij", both)
    assert torch.allclose(variance, known.variance, atol=1e-6 * float(variance.max() + 1))
    together = both.sum((1, 3)).diagonal()
    assert torch.allclose(together, known.together, atol=1e-6 * float(variance.max() + 1))


def test_sampled_pairs_of_products_are_found_from_few_sets():
    def game(x):
        return x[:, 0] * x[:, 1] + 3 * x[:, 2] * x[:, 5] - x[:, 8] + x[:, 3] * x[:, 4] * x[:, 9]

    n = 16
    found = SampledInteractions(budget=500)(of_game(n, game), *ones(n), rng=seeded())
    wanted = torch.zeros(n, n).double()
    for i, j, value in ((0, 1, 1), (2, 5, 3), (3, 4, 0.5), (3, 9, 0.5), (4, 9, 0.5)):
        wanted[i, j] = wanted[j, i] = value
    assert torch.allclose(found.pairs[0, :, :, 0], wanted, atol=1e-3)
    assert found.gap.abs().max() < 1e-9
    assert found.is_converged.all()
    assert [p[:2] for p in found.strongest(most=2)] == [("c2", "c5"), ("c0", "c1")]


@pytest.mark.parametrize("steps", [0, 10])
def test_error_bars_cover_the_truth(steps):
    pairs, mains, off = [], [], ~torch.eye(8).bool()
    for seed in range(20):
        game = random_game(8, seed)
        truth = exact(8, game).values[0, :, :, 0]
        sampled = SampledInteractions(budget=90, steps=steps)
        found = sampled(of_game(8, game), *ones(8), rng=seeded(seed))
        assert found.half_width is not None
        inside = (found.values[0, :, :, 0] - truth).abs() <= found.half_width[0, :, :, 0]
        pairs.append(inside[off])
        mains.append(inside.diagonal())
    assert 0.88 <= torch.cat(pairs).double().mean() <= 0.995
    assert 0.85 <= torch.cat(mains).double().mean() <= 0.995


def test_seeds_repeat_and_rows_are_as_one_by_one_with_one_kernel():
    model = of_columns(9, lambda v: torch.sin(v).prod(1) + v[:, :3].sum(1) ** 2)
    x, background = torch.randn(2, 9, generator=seeded(1)), torch.randn(6, 9, generator=seeded(2))
    sampled = SampledInteractions(budget=120, steps=5)
    one, again = (sampled(model, x, background, rng=seeded(9)) for _ in range(2))
    assert torch.equal(one.values, again.values)
    assert torch.allclose(one.shapley.sum(1), one.score - one.base)


@pytest.mark.parametrize("budget", [1, 4, 6])
def test_too_few_sets_are_flagged_not_hidden(budget):
    game = random_game(20, 1)
    found = SampledInteractions(budget=budget, steps=0)(of_game(20, game), *ones(20), rng=seeded())
    assert not found.is_converged.any()
    assert found.gap.abs().max() < 1e-9


def test_a_constant_model_has_no_interactions():
    for found in (
        exact(4, lambda x: x[:, 0] * 0 + 7),
        SampledInteractions(budget=60)(of_game(12, lambda x: x[:, 0] * 0 + 7), *ones(12), rng=seeded()),
    ):  # fmt: skip
        assert found.values.abs().max() < 1e-9
        assert found.is_converged.all()


def test_an_infinite_error_is_never_sure():
    values = torch.ones(1, 3, 3, 1).double()
    assert not is_sure(values, torch.full_like(values, torch.inf), values, 0.5).any()
    assert is_sure(values, values * 0.01, values, 0.5).all()
    assert not is_sure(values * 0.1, values * 0.1, values, 0.5).any()


def test_one_call_chooses_and_says_why():
    small = interactions(of_game(4, random_game(4, 1)), *ones(4), rng=seeded())
    assert small.error is None
    assert "16 sets" in str(small.reason)
    cheap = interactions(of_game(4, random_game(4, 1)), *ones(4), rng=seeded(), budget=10)
    assert cheap.method == "SampledInteractions"
    large = interactions(of_game(13, random_game(13, 1)), *ones(13), rng=seeded(), budget=100)
    assert "100 sampled sets" in str(large.reason)


def test_columns_that_count_together_are_one_player():
    game = random_game(5, 1)
    features = Features(together=(("c1", "c3"),))
    found = ExactInteractions(features=features)(of_game(5, game), *ones(5), rng=seeded())
    assert found.names == ("c0", "c1 + c3", "c2", "c4")
    joined = index_by_definition(lambda x: game(x[:, [0, 1, 2, 1, 3]]), 4)
    assert torch.allclose(found.pairs[0, :, :, 0], joined, atol=1e-9)


def test_what_would_not_end_is_refused():
    with pytest.raises(NotMeasurable, match="15 features"):
        exact(15, lambda x: x.sum(1))
    with pytest.raises(NotMeasurable, match="129 features"):
        SampledInteractions()(of_game(129, lambda x: x.sum(1)), *ones(129), rng=seeded())
    with pytest.raises(NotMeasurable, match="6000 sets"):
        SampledInteractions(budget=6000)(of_game(20, lambda x: x.sum(1)), *ones(20), rng=seeded())
    assert pair_shares(40).isfinite().all()


def named(names):
    schema = Schema(columns=tuple(Column(name=n) for n in names), shape=(len(names),))
    model = Function(lambda v: v[:, 0] * v[:, 1] + v[:, 2], schema)
    x, background = torch.randn(3, 3, generator=seeded(1)), torch.randn(8, 3, generator=seeded(2))
    return ExactInteractions()(model, x, background, rng=seeded())


def test_records_csv_and_json_tell_the_same(tmp_path):
    found = named(("a,b", "年龄", "c"))
    records = found.to_records()
    assert len(records) == 3 * 6
    total = sum(float(str(r["interaction"])) for r in records if r["row"] == 1)
    assert abs(total - float(found.score[1, 0] - found.base[1, 0])) < 1e-9
    path = tmp_path / "pairs.csv"
    lines = list(csv.DictReader(StringIO(found.to_csv(path))))
    assert path.read_text(encoding="utf-8") == found.to_csv()
    assert lines[1]["feature"] == "a,b"
    assert lines[1]["other"] == "年龄"
    assert float(lines[1]["interaction"]) == records[1]["interaction"]
    assert lines[1]["error"] == ""
    told = json.loads(found.to_json())
    assert told["values"] == found.values.tolist()
    blind = SampledInteractions(budget=2)(of_game(6, random_game(6, 1)), *ones(6), rng=seeded())
    assert json.loads(blind.to_json())["error"][0][0][0][0] == "inf"


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("row", [0, None])
def test_pictures_are_drawn_where_they_are_wanted(row, language, recwarn):
    from matplotlib.figure import Figure

    found = named(("年龄", "blood_pressure_at_the_last_visit", "c"))
    for draw in (found.plot.network, found.plot.matrix):
        ax = Figure().subplots()
        assert draw(row, ax=ax, language=language) is ax
        ax.figure.canvas.draw()
        drawn = draw(row, language=language)
        drawn.figure.canvas.draw()
        assert ("特征" in drawn.get_title(loc="left") or "特征" in drawn.get_title()) == (
            language == "zh"
        )
    assert not [w for w in recwarn if "Glyph" in str(w.message)]


def test_a_picture_shows_strong_pairs_and_marks_doubtful_ones():
    found = named(("a", "b", "c"))
    ax = found.plot.network(0)
    assert len([line for line in ax.lines if len(line.get_xdata()) == 2]) == 1  # type: ignore[arg-type]
    few = SampledInteractions(budget=60, steps=0)(
        of_game(12, random_game(12, 2)), *ones(12), rng=seeded()
    )
    assert any(p.get_hatch() for p in few.plot.matrix(0).patches)
    with pytest.raises(BadInput, match="no row 9"):
        found.plot.matrix(9)
    with pytest.raises(BadInput, match="no output"):
        found.plot.network(0, output="nothing")
    with pytest.raises(BadInput, match="shows nothing"):
        found.plot.network(0, most=0)


def test_survives_the_recipe_file():
    made = SampledInteractions(budget=64, removal=MarginalRemoval(summary=3))
    assert decode(encode(made), SampledInteractions) == made
