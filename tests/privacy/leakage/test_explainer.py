"""The gradient of an answer, in the units of each column."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from fivefold.core.errors import NotMeasurable
from fivefold.core.schema import Schema
from fivefold.explanation import InputXGradient, LeverageSHAP
from fivefold.privacy import InputGradient
from fivefold.privacy.leakage.explainer import Explainer
from seeding import seeded


def slopes(model, x):
    return InputGradient()(model, x, x, rng=seeded()).values


def test_log_odds_of_the_predicted_class(trained, table):
    head = nn.Linear(6, 2)
    x = table.splits.test.x[:20].clone()
    scale = torch.tensor([1.0, 2.0, 3.0, 1.0, 1.0, 1.0])
    columns = tuple(
        replace(c, scale=s) for c, s in zip(table.schema.columns, scale.tolist(), strict=True)
    )
    model = replace(trained.with_net(head), schema=replace(table.schema, columns=columns))
    found = slopes(model, x)
    one = (head.weight[1] - head.weight[0]).detach() * scale
    sign = torch.where(model.predict(x).argmax(1) == 1, 1.0, -1.0)
    torch.testing.assert_close(found[..., 0], sign[:, None] * one, check_dtype=False)
    assert head.weight.grad is None


def test_of_a_number(trained_numbers, numbers):
    x = numbers.splits.test.x[:5]
    step = 1e-3 * torch.eye(4)[2]
    ends = trained_numbers.predict(x + step) - trained_numbers.predict(x - step)
    torch.testing.assert_close(slopes(trained_numbers, x)[:, 2, 0], ends[:, 0] / 2e-3, atol=1e-2, rtol=1e-2)  # fmt: skip


def test_of_images(trained_images, images):
    assert slopes(trained_images, images.splits.test.x[:3]).shape == (3, 64, 1)


def test_missing_values_have_no_slope(trained):
    found = slopes(trained, torch.tensor([[torch.nan, 1.0, 0.0, 0.0, 0.0, 0.0]]))
    assert found[0, 0, 0] == 0.0
    assert bool(found.isfinite().all())


def test_any_explainer_will_do():
    for one in (InputGradient(), InputXGradient(), LeverageSHAP()):
        assert isinstance(one, Explainer)


def test_inputs_that_are_no_numbers(trained, table):
    for model, x in (
        (trained, torch.ones(2, 6).long()),
        (replace(trained, schema=Schema(shape=(6,), is_text=True)), table.splits.test.x),
        (trained, {"a": table.splits.test.x}),
    ):
        with pytest.raises(NotMeasurable, match="rows of numbers"):
            slopes(model, x)


def test_answers_without_gradients(trained, table):
    class Whole(nn.Module):
        def forward(self, x):
            return torch.stack([x[:, 0], x[:, 1]], 1).round().detach()

    with pytest.raises(NotMeasurable, match="gradients"):
        slopes(trained.with_net(Whole()), table.splits.test.x)
