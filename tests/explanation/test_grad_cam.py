import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate

from fivefold.core.errors import NotMeasurable
from fivefold.core.schema import Schema
from fivefold.core.task import Task
from fivefold.explanation import GradCAM
from fivefold.explanation.output import log_odds
from fivefold.models import ConvNet, TorchModel, fresh
from fivefold.perturb import Features
from seeding import seeded

SIDE = 12


class Corner(nn.Module):
    """Class 1 is a bright upper left corner; the convolution hands pixels on, in place behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.see = nn.Conv2d(1, 1, 1, bias=False)
        nn.init.ones_(self.see.weight)
        self.cut = nn.ReLU(inplace=True)

    def forward(self, x):
        seen = self.cut(self.see(x))
        evidence = seen[:, 0, : SIDE // 2, : SIDE // 2].mean((1, 2))
        return torch.stack([-evidence, evidence], 1)


def model_of(net: nn.Module) -> TorchModel:
    schema = Schema(shape=(1, SIDE, SIDE))
    return TorchModel(net, Task(classes=("no", "yes")), schema, ConvNet())


def picture() -> torch.Tensor:
    x = torch.zeros(2, 1, SIDE, SIDE)
    x[0, :, :3, :3] = 1
    x[1, :, 1, 1] = 0.5
    return x


def test_it_points_to_where_the_evidence_is():
    found = GradCAM(features=Features(grid=4))(
        model_of(Corner()), picture(), picture()[:1], rng=seeded()
    )
    yes = found.values[..., 1]
    assert yes.argmax(1).tolist() == [0, 0]
    assert (yes >= 0).all()
    assert float(yes[0, 0]) > 5 * float(yes[0, 5:].max())
    assert float(found.values[..., 0].abs().max()) == 0  # nothing speaks for the other class


def test_it_is_the_paper_written_out(images):
    model, x = fresh(ConvNet(width=3), images, seeded()), images.splits.test.x[:3]
    found = GradCAM(features=Features(grid=8))(model, x, x, rng=seeded())
    last = [m for m in model.net.modules() if isinstance(m, nn.Conv2d)][-1]
    kept: list[torch.Tensor] = []
    last.register_forward_hook(lambda *seen: kept.append(seen[2]))
    for row in range(3):
        score = log_odds(model.net(x[row : row + 1]))[0]
        for k in range(3):
            slope = torch.autograd.grad(score[k], kept[-1], retain_graph=True)[0][0]
            parts = [slope[c].mean() * kept[-1][0, c] for c in range(len(slope))]
            total = torch.relu(torch.stack(parts).sum(0))[None, None]
            wide = interpolate(total, x.shape[-2:], mode="bilinear", align_corners=False)
            assert torch.allclose(
                found.values[row, :, k].float(), wide.flatten().detach(), atol=1e-5
            )


def test_frozen_weights_are_no_obstacle():
    frozen = GradCAM()(
        model_of(Corner().requires_grad_(requires_grad=False)),
        picture(),
        picture()[:1],
        rng=seeded(),
    )
    learning = GradCAM()(model_of(Corner()), picture(), picture()[:1], rng=seeded())
    assert torch.equal(frozen.values, learning.values)


def test_it_says_that_its_values_do_not_add_up():
    found = GradCAM()(model_of(Corner()), picture(), picture(), rng=seeded())
    assert "does not add up" in str(found.unit)


def test_tables_and_networks_without_convolutions_are_refused(trained, table):
    x = table.splits.test.x[:2]
    with pytest.raises(NotMeasurable, match="convolutions"):
        GradCAM()(trained, x, x, rng=seeded())
    flat = nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, 2))
    with pytest.raises(NotMeasurable, match="convolutions"):
        GradCAM()(model_of(flat), picture(), picture(), rng=seeded())
