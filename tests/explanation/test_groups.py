import pytest
import torch
from games import Function

from fivefold.core.codec import decode, encode
from fivefold.core.errors import NotMeasurable
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.explanation import (
    LIME,
    BlurRemoval,
    ExactShapley,
    LeverageSHAP,
    explain,
    interactions,
)
from fivefold.perturb import Features
from seeding import seeded

PIECES = Features(pieces=6)


def bright_model():
    return Function(
        lambda v: v[:, 0, 2:5, 2:5].sum((1, 2)), Schema(shape=(1, 8, 8)), Task(kind="regression")
    )


def image():
    x = torch.zeros(1, 1, 8, 8)
    x[0, 0, 2:5, 2:5] = 1.0
    return x


@pytest.mark.parametrize(
    "explainer",
    [ExactShapley(features=PIECES), LeverageSHAP(features=PIECES), LIME(features=PIECES)],
)
def test_superpixels_serve_every_explainer_that_plays_the_game(explainer):
    found = explainer(bright_model(), image(), torch.zeros(2, 1, 8, 8), rng=seeded())
    top = int(found.values[0, :, 0].argmax())
    inside = found.groups.member.view(8, 8) == top
    assert inside[2:5, 2:5].all()
    assert abs(float(found.values[0, top, 0]) - 9) < 0.1


def test_superpixels_are_drawn_where_they_lie():
    blur = ExactShapley(features=PIECES, removal=BlurRemoval(width=1.0))
    found = explain(bright_model(), image(), image(), blur, rng=seeded())
    assert tuple(found.plot.image(0).images[2].get_size()) == (8, 8)
    assert tuple(found.plot(0).images[0].get_size()) == (8, 8)


def test_superpixels_of_several_images_are_refused():
    with pytest.raises(NotMeasurable, match="2 images were given"):
        ExactShapley(features=PIECES)(
            bright_model(), image().repeat(2, 1, 1, 1), image(), rng=seeded()
        )


def test_a_category_in_several_columns_is_one_player():
    marks = [Column(name=f"job={j}", kind="integer", low=0.0, high=1.0) for j in "abc"]
    schema = Schema(columns=(*marks, Column(name="age")), shape=(4,))
    model = Function(lambda v: v[:, 0] * 3 + v[:, 1] - v[:, 2] + v[:, 3] * v[:, 0], schema)
    x = torch.tensor([[1.0, 0, 0, 2.0]])
    background = torch.tensor([[0.0, 1, 0, 1.0], [0, 0, 1, 0]])
    features = Features(one_hot=True)
    found = ExactShapley(features=features)(model, x, background, rng=seeded())
    assert found.names == ("job", "age")
    assert found.gap.abs().max() < 1e-9
    pairs = interactions(model, x, background, rng=seeded(), features=features)
    assert pairs.names == ("job", "age")
    assert torch.isclose(pairs.values[0, 0, 1, 0], torch.tensor(1.5).double())
    assert decode(encode(LeverageSHAP(features=features)), LeverageSHAP).features == features
