import pytest
import torch
from games import of_columns
from torch import nn

from fivefold.core.data import Dataset
from fivefold.core.errors import NotMeasurable
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.explanation import ExactShapley, IntegratedGradients, LeverageSHAP
from fivefold.models import MLP, TorchModel, fresh
from fivefold.perturb import Features
from seeding import seeded


def around(net: nn.Module, n: int) -> TorchModel:
    columns = tuple(Column(name=f"c{i}") for i in range(n))
    schema = Schema(columns=columns, shape=(n,))
    return TorchModel(net.double().float(), Task(kind="regression"), schema, MLP())


class Smooth(nn.Module):
    def __init__(self, n: int) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(n, 5, generator=seeded(1)))

    def forward(self, x):
        return torch.tanh(x @ self.w).sum(1, keepdim=True) + x[:, :1] * x[:, 1:2]


def test_a_linear_model_is_exact_with_one_interval():
    class Line(nn.Module):
        def forward(self, x):
            return 2 * x[:, :1] - x[:, 2:] + 5

    x, background = torch.randn(4, 3, generator=seeded(1)), torch.randn(6, 3, generator=seeded(2))
    found = IntegratedGradients(intervals=1)(around(Line(), 3), x, background, rng=seeded())
    wanted = torch.tensor([2.0, 0.0, -1.0]) * (x - background.mean(0))
    assert torch.allclose(found.values[..., 0].float(), wanted, atol=1e-5)
    assert found.n_evaluations == 4 + 6 + 2 * 4 * 6


def test_values_of_a_smooth_net_add_up_and_agree_with_a_fine_sum():
    model = around(Smooth(4), 4)
    x, background = torch.randn(3, 4, generator=seeded(3)), torch.randn(1, 4, generator=seeded(4))
    found = IntegratedGradients(tolerance=1e-4)(model, x, background, rng=seeded())
    assert found.is_converged.all()
    assert found.gap.abs().max() < 2e-4
    steps, total = 2000, torch.zeros(3, 4)
    for i in range(steps):
        at = (background + (i + 0.5) / steps * (x - background)).requires_grad_()
        total += torch.autograd.grad(model.net(at).sum(), at)[0] / steps
    assert torch.allclose(found.values[..., 0].float(), total * (x - background), atol=1e-3)


def test_intervals_are_doubled_only_where_values_do_not_add_up(trained, table):
    x, background = table.splits.test.x[:8], table.splits.seen.train.x[:4]
    few = IntegratedGradients(intervals=2, most_intervals=2)(trained, x, background, rng=seeded())
    more = IntegratedGradients(intervals=8, most_intervals=512)(
        trained, x, background, rng=seeded()
    )
    assert few.gap.abs().max() > more.gap.abs().max()
    assert more.is_converged.all()
    assert more.n_evaluations < 12 + 8 * 4 * 513 / 3  # most lines end early
    adds_up = (few.gap.abs() <= 0.01 * (few.score - few.base).abs().clamp(min=1)).all(-1)
    assert not (few.is_converged & ~adds_up).any()


def test_values_that_add_up_by_luck_are_not_shown_as_converged():
    """Two waves that cancel in the sum, for these points, and not one by one."""

    class Waves(nn.Module):
        def forward(self, x):
            return (torch.cos(9 * x[:, :1]) - torch.cos(9 * x[:, 1:2])).double()

    x, background = torch.tensor([[2.0, 2.0]]), torch.zeros(1, 2)
    few = IntegratedGradients(intervals=4, most_intervals=4)(
        around(Waves(), 2), x, background, rng=seeded()
    )
    assert few.gap.abs().max() < 1e-6
    assert not few.is_converged.any()
    more = IntegratedGradients()(around(Waves(), 2), x, background, rng=seeded())
    wanted = torch.cos(torch.tensor(18.0)).double() - 1
    assert more.is_converged.all()
    assert torch.allclose(more.values[0, :, 0], torch.stack([wanted, -wanted]), atol=0.05)


def test_the_error_is_about_as_large_as_the_distance_from_a_fine_sum(trained, table):
    x, background = table.splits.test.x[:16], table.splits.seen.train.x[:1]
    found = IntegratedGradients(tolerance=0.1)(trained, x, background, rng=seeded())
    fine = IntegratedGradients(intervals=4096, most_intervals=4096)(
        trained, x, background, rng=seeded()
    )
    assert found.error is not None
    assert found.half_width is not None
    assert torch.equal(found.half_width, found.error)  # no standard error, so no 95 % interval
    sampled = LeverageSHAP(budget=20)(trained, x, background, rng=seeded())
    assert sampled.error is not None
    assert sampled.half_width is not None
    assert torch.allclose(sampled.half_width, 1.96 * sampled.error, rtol=1e-3)
    off, error = (found.values - fine.values)[..., 0].norm(dim=1), found.error[..., 0].norm(dim=1)
    assert 0.2 < float((off / error).median()) < 2


def test_two_nets_of_one_function_get_one_explanation():
    first, last, order = nn.Linear(3, 4), nn.Linear(4, 1), torch.tensor([2, 0, 3, 1])
    moved_first, moved_last = nn.Linear(3, 4), nn.Linear(4, 1)
    with torch.no_grad():
        moved_first.weight.copy_(first.weight[order])
        moved_first.bias.copy_(first.bias[order])
        moved_last.weight.copy_(last.weight[:, order])
        moved_last.bias.copy_(last.bias)
    plain = nn.Sequential(first, nn.Tanh(), last)
    twin = nn.Sequential(moved_first, nn.Tanh(), moved_last)
    x = torch.randn(5, 3, generator=seeded(5))
    one, two = (IntegratedGradients()(around(n, 3), x, x[:2], rng=seeded()) for n in (plain, twin))
    assert torch.allclose(one.values, two.values, atol=1e-5)


def test_categories_and_missing_values_belong_to_their_column():
    columns = (
        Column(name="size", is_optional=True, center=1.0, scale=2.0),
        Column(name="kind", kind="category", categories=("a", "b", "c")),
    )
    schema, task = Schema(columns=columns, shape=(2,)), Task(classes=("no", "yes"))
    data = Dataset("mixed", None, schema, task, "")  # type: ignore[arg-type]
    model = fresh(
        MLP(hidden=()), data, seeded()
    )  # log-odds are linear in what the net is smooth in
    x = torch.tensor([[3.0, 2.0], [torch.nan, 1.0], [0.0, 0.0]])
    background = torch.tensor([[1.0, 0.0], [torch.nan, 2.0]])
    found = IntegratedGradients()(model, x, background, rng=seeded())
    exact = ExactShapley()(model, x, background, rng=seeded())
    assert found.names == ("size", "kind")
    assert torch.allclose(found.values, exact.values, atol=1e-4)


def test_an_image_is_explained_by_patches(trained_images, images):
    explainer = IntegratedGradients(features=Features(grid=2))
    found = explainer(
        trained_images, images.splits.test.x[:3], torch.zeros(1, 1, 8, 8), rng=seeded()
    )
    assert found.values.shape == (3, 4, 3)
    assert found.is_converged.all()
    assert all(p.grad is None for p in trained_images.net.parameters())


def test_a_black_box_has_no_gradients():
    with pytest.raises(NotMeasurable, match="gradients"):
        IntegratedGradients()(
            of_columns(2, lambda x: x[:, 0]), torch.ones(1, 2), torch.zeros(1, 2), rng=seeded()
        )


def test_refuses_lines_through_missing_values():
    columns = (Column(name="a", is_optional=True), Column(name="b"))
    net = nn.Linear(2, 1)
    model = TorchModel(net, Task(kind="regression"), Schema(columns=columns, shape=(2,)), MLP())
    with pytest.raises(NotMeasurable, match="straight line"):
        IntegratedGradients()(
            model, torch.tensor([[torch.nan, 1.0]]), torch.zeros(1, 2), rng=seeded()
        )
