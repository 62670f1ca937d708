import pytest
import torch
from games import Function, of_columns

from fivefold.core.errors import BadInput, NotMeasurable
from fivefold.core.schema import Schema
from fivefold.explanation import LIME, ExactShapley, IntegratedGradients, LeverageSHAP, explain
from fivefold.explanation.choice import Choice, choose
from fivefold.explanation.methods import NAMES
from fivefold.explanation.output import log_odds
from fivefold.perturb import Features
from seeding import seeded

EXPLAINERS = [ExactShapley(), LeverageSHAP(), LIME(), IntegratedGradients()]


def test_few_features_are_listed_and_it_says_so(trained, table):
    found = explain(trained, table.splits.test.x[:3], table.splits.seen.train.x[:10], rng=seeded())
    assert found.method == "ExactShapley"
    assert "64 sets of 6 features" in str(found.reason)
    assert "子集" in found.reason.words("zh")


def test_many_features_are_sampled_or_followed_by_gradients(trained_images, images):
    x = images.splits.test.x[:2]
    sampled = explain(trained_images, x, x, rng=seeded(), features=Features(grid=8))
    assert (sampled.method, sampled.values.shape[1]) == ("LeverageSHAP", 64)
    wide = of_columns(300, lambda v: v.sum(1))
    assert (
        explain(wide, torch.ones(1, 300), torch.zeros(1, 300), rng=seeded()).method
        == "LeverageSHAP"
    )


@pytest.mark.parametrize("method", ["exact", "leverage", "lime", "gradients", LIME(budget=50)])
def test_any_method_can_be_asked_for(method, trained, table):
    x, background = table.splits.test.x[:40], table.splits.seen.train.x[:10]
    found = explain(trained, x, background, method, rng=seeded())
    assert found.values.shape == (40, 6, 2)
    weight = found.values[:, :, 1].abs().mean(0)
    assert set(weight.topk(2).indices.tolist()) == {0, 1}  # the class is the sign of c0 + c1


@pytest.mark.parametrize("explainer", EXPLAINERS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize(
    ("x", "background", "message"),
    [
        (torch.zeros(0, 6), torch.zeros(1, 6), "at least one row"),
        (torch.zeros(1, 6), torch.zeros(0, 6), "at least one row"),
        (torch.zeros(1, 5), torch.zeros(1, 6), r"\(1, 5\)"),
        (torch.zeros(1, 6), torch.zeros(4, 7), "background"),
        (torch.full((2, 6), torch.nan), torch.zeros(1, 6), "c0 is missing"),
        (torch.zeros(1, 6), torch.full((2, 6), torch.inf), "c0 is missing or infinite"),
    ],
)
def test_unusable_inputs_are_refused(explainer, x, background, message, trained):
    with pytest.raises(BadInput, match=message):
        explainer(trained, x, background, rng=seeded())


def test_several_tensors_cannot_be_masked(trained):
    with pytest.raises(NotMeasurable, match="several tensors"):
        LeverageSHAP()(trained, {"a": torch.zeros(1, 6)}, torch.zeros(1, 6), rng=seeded())


def test_an_answer_that_is_not_a_number_is_told():
    broken = of_columns(3, lambda x: (x - 1).log().sum(1))
    with pytest.raises(NotMeasurable, match="not a finite number"):
        LeverageSHAP()(broken, torch.full((1, 3), 2.0), torch.zeros(1, 3), rng=seeded())


def test_one_row_of_background_is_a_baseline(trained, table):
    found = explain(trained, table.splits.test.x[:2], torch.zeros(1, 6), rng=seeded())
    assert found.gap.abs().max() < 1e-6


def test_missing_values_are_values_like_any_other():
    from fivefold.core.schema import Column

    columns = (Column(name="a", is_optional=True), Column(name="b"))
    model = Function(
        lambda x: x[:, 0].isnan().double() * 3 + x[:, 1], Schema(columns=columns, shape=(2,))
    )
    found = explain(model, torch.tensor([[torch.nan, 1.0]]), torch.zeros(2, 2), rng=seeded())
    assert torch.allclose(found.values[0, :, 0], torch.tensor([3.0, 1.0]).double())


def test_log_odds_do_not_care_for_shifts_and_do_not_overflow():
    logits = torch.tensor([[60.0, -60.0, 0.0], [0.1, 0.2, 0.1], [3.0, 3.0, 3.0]])
    found = log_odds(logits)
    assert torch.allclose(found, log_odds(logits.log_softmax(-1)), atol=1e-4)
    assert torch.allclose(found, log_odds(logits + 7), atol=1e-4)
    p = logits[1:].double().softmax(-1)
    assert torch.allclose(found[1:], p.logit(), atol=1e-6)
    assert found.isfinite().all()
    assert log_odds(torch.tensor([[0.0, -torch.inf]])).isfinite().all()


def test_pictures_are_drawn_on_the_axes_given(trained, table, trained_images, images):
    from matplotlib.figure import Figure

    bars = explain(
        trained, table.splits.test.x[:2], table.splits.test.x[:9], "leverage", rng=seeded()
    )
    ax = Figure().subplots()
    assert bars.plot(1, "yes", ax) is ax
    assert len(ax.patches) == 6
    assert "yes" in ax.get_title()
    heat = explain(trained_images, images.splits.test.x[:1], torch.zeros(1, 1, 8, 8), rng=seeded())
    assert heat.plot().images[0].get_size() == (4, 4)


def test_html_is_escaped_and_needs_no_script():
    from fivefold.core.schema import Column

    schema = Schema(columns=(Column(name="<b>"), Column(name="b")), shape=(2,))
    model = Function(lambda x: x.sum(1), schema)
    found = explain(model, torch.ones(1, 2), torch.zeros(1, 2), "leverage", rng=seeded())
    shown = found._repr_html_()
    assert "&lt;b&gt;" in shown
    assert "<b>" not in shown
    assert "script" not in shown


def test_it_is_told_before_anything_is_explained_what_it_will_cost(trained, table):
    x, background = table.splits.test.x[:3], table.splits.seen.train.x[:10]
    told: list[Choice] = []
    found = explain(trained, x, background, "leverage", rng=seeded(), tell=told.append)
    (choice,) = told
    assert isinstance(choice.explainer, LeverageSHAP)
    assert choice.cost.n_evaluations is not None
    assert choice.cost.seconds is not None
    assert choice.cost.seconds > 0
    assert found.n_evaluations <= choice.cost.n_evaluations
    assert str(choice.cost.n_evaluations) in str(choice.told).replace(",", "")


@pytest.mark.parametrize(
    "name", [name for name in NAMES if name not in ("trees", "linear", "grad-cam", "auto")]
)
def test_no_method_asks_more_than_it_said(name, trained, table):
    x, background = table.splits.test.x[:4], table.splits.seen.train.x[:8]
    choice = choose(trained, x, background, name)
    found = choice.explainer(trained, x, background, rng=seeded())
    assert choice.cost.n_evaluations is not None
    assert 0 < found.n_evaluations <= choice.cost.n_evaluations
    if name not in ("gradients", "leverage", "odd-kernel", "lime"):
        assert found.n_evaluations == choice.cost.n_evaluations


def test_a_method_that_does_not_exist_is_refused(trained, table):
    x = table.splits.test.x[:1]
    with pytest.raises(BadInput, match="There is no method magic"):
        explain(trained, x, x, "magic", rng=seeded())  # pyright: ignore[reportArgumentType]
