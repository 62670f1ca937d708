"""Gradient times input, SmoothGrad and occlusion."""

import pytest
import torch
from games import of_columns
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from fivefold.core.errors import NotMeasurable
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.explanation import (
    ExactShapley,
    InputXGradient,
    LeverageSHAP,
    Occlusion,
    SmoothGrad,
)
from fivefold.models import MLP, TorchModel
from fivefold.perturb import Features
from seeding import seeded


def around(net: nn.Module, n: int, columns: tuple[Column, ...] = ()) -> TorchModel:
    columns = columns or tuple(Column(name=f"c{i}") for i in range(n))
    return TorchModel(net, Task(kind="regression"), Schema(columns=columns, shape=(n,)), MLP())


class Bent(nn.Module):
    def forward(self, x):
        return (x[:, :1] * x[:, 1:2] + torch.sin(3 * x[:, 2:3])).double()


class Line(nn.Module):
    def forward(self, x):
        return 2 * x[:, :1] - x[:, 2:3] + 5


def rows(n: int = 4, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(n, 3, generator=seeded(seed)), torch.randn(6, 3, generator=seeded(seed + 9))


@pytest.mark.parametrize("explainer", [InputXGradient(), SmoothGrad(), Occlusion()])
def test_a_linear_model_is_explained_exactly(explainer):
    x, background = rows()
    found = explainer(around(Line(), 3), x, background, rng=seeded())
    wanted = torch.tensor([2.0, 0.0, -1.0]) * (x - background.mean(0))
    assert torch.allclose(found.values[..., 0].float(), wanted, atol=1e-4)
    assert found.is_converged.all()
    assert found.gap.abs().max() < 1e-4


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(0, 10_000))
def test_gradient_times_input_is_the_gradient_times_the_input(seed):
    x, background = rows(3, seed)
    found = InputXGradient()(around(Bent(), 3), x, background, rng=seeded())
    for row, value in zip(x, found.values[..., 0], strict=True):
        slope = torch.tensor([row[1], row[0], 3 * torch.cos(3 * row[2])])
        assert torch.allclose(value.float(), slope * (row - background.mean(0)), atol=1e-4)
    length = found.values.norm(dim=1)
    assert torch.equal(found.is_converged, (found.gap.abs() <= 0.1 * length).all(1))


def test_what_bends_is_not_shown_as_converged():
    x, background = torch.tensor([[3.0, 3.0, 0.0]]), torch.zeros(2, 3)
    for explainer in (InputXGradient(), Occlusion()):
        found = explainer(around(Bent(), 3), x, background, rng=seeded())
        assert not found.is_converged.any()


@pytest.mark.parametrize("size", [1.0, 1e-4])
def test_whether_it_is_converged_does_not_depend_on_the_unit(size):
    product = of_columns(2, lambda v: size * v[:, 0] * v[:, 1])
    found = Occlusion()(product, torch.ones(1, 2), torch.zeros(1, 2), rng=seeded())
    assert not found.is_converged.any()


def test_smoothgrad_finds_the_slope_of_the_smoothed_answer_within_its_error():
    """The mean of cos(3 (x + s e)) over normal noise is cos(3x) exp(-9 s^2 / 2)."""
    x, background = rows(8)
    found = SmoothGrad(samples=400, noise=0.3)(around(Bent(), 3), x, background, rng=seeded())
    damped = 3 * torch.cos(3 * x[:, 2]) * torch.exp(torch.tensor(-9 * 0.09 / 2))
    wanted = damped * (x - background.mean(0))[:, 2]
    assert found.error is not None
    off = (found.values[:, 2, 0] - wanted).abs() / found.error[:, 2, 0]
    assert float(off.max()) < 4
    assert float(off.mean()) > 0.2  # the error is not simply huge
    assert (
        found.values[:, 0, 0]
        .float()
        .allclose((x[:, 1] * (x - background.mean(0))[:, 0]), atol=1e-4)
    )  # pairs of opposite noise cancel what is straight


def test_smoothgrad_leaves_what_cannot_move_and_its_noise_does_not_depend_on_the_parts():
    columns = (Column(name="a", is_immutable=True), Column(name="b"), Column(name="c"))
    x, background = rows(5)
    model = around(Bent(), 3, columns)
    found = SmoothGrad(samples=20)(model, x, background, rng=seeded(4))
    alone = SmoothGrad(samples=20)(model, x[:1], background, rng=seeded(4))
    assert torch.allclose(found.values[0], alone.values[0])
    assert found.error is not None
    # b's slope is a itself, which never moves: no noise, no error
    assert found.error[:, 1, 0].abs().max() < 1e-6
    assert found.error[:, 2, 0].min() > 0


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(0, 10_000))
def test_occlusion_is_the_mean_fall_over_the_background(seed):
    x, background = rows(2, seed)
    model = of_columns(3, lambda v: v[:, 0] * v[:, 1] + v[:, 2] ** 2)
    found = Occlusion()(model, x, background, rng=seeded())
    for i, row in enumerate(x):
        for j in range(3):
            hidden = row.repeat(len(background), 1)
            hidden[:, j] = background[:, j]
            fall = model.predict(row[None]).mean() - model.predict(hidden).mean()
            assert torch.allclose(found.values[i, j, 0], fall, atol=1e-9)


def test_images_are_explained_by_patches(trained_images, images):
    x, background = images.splits.test.x[:3], images.splits.seen.train.x[:4]
    for explainer in (
        InputXGradient(features=Features(grid=2)),
        SmoothGrad(samples=8, features=Features(grid=2)),
        Occlusion(features=Features(grid=2)),
    ):
        found = explainer(trained_images, x, background, rng=seeded())
        assert found.values.shape == (3, 4, 3)
        assert found.values.isfinite().all()


def test_gradients_need_a_network_and_occlusion_does_not():
    x, background = rows()
    model = of_columns(3, lambda v: v.sum(1))
    for explainer in (InputXGradient(), SmoothGrad()):
        with pytest.raises(NotMeasurable, match="gradients"):
            explainer(model, x, background, rng=seeded())
    assert Occlusion()(model, x, background, rng=seeded()).is_converged.all()


def test_global_randomness_is_left_alone(trained, table):
    state = torch.get_rng_state()
    SmoothGrad(samples=4)(trained, table.splits.test.x[:2], table.splits.test.x[:2], rng=seeded())
    assert torch.equal(torch.get_rng_state(), state)


def test_shapley_values_average_what_occlusion_takes_last():
    """For a product against zeros, occlusion gives the whole product to each factor; Shapley shares it."""
    model = of_columns(2, lambda v: v[:, 0] * v[:, 1])
    x, background = torch.tensor([[2.0, 3.0]]), torch.zeros(1, 2)
    assert Occlusion()(model, x, background, rng=seeded()).values.flatten().tolist() == [6, 6]
    for fair in (ExactShapley(), LeverageSHAP()):
        found = fair(model, x, background, rng=seeded()).values.flatten()
        assert torch.allclose(found, torch.tensor([3.0, 3.0]).double())
