"""What is released, and what an explainer must return."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from fivefold.core.errors import BadInput, NotMeasurable
from fivefold.privacy.leakage.release import explained, released
from seeding import seeded


class Given(NamedTuple):
    """An explainer that returns what it is."""

    values: Tensor

    def __call__(self, model, x, background, *, rng):
        return self


def asked(values, model, data):
    pool = data.splits.test.take(slice(0, 4))
    return explained(Given(values), model, pool, pool.x, seeded())


def test_all_of_it():
    values = torch.randn(3, 5, generator=seeded())
    assert torch.equal(released(values, "full"), values)


def test_the_three_largest():
    values = torch.tensor([[0.1, -4.0, 2.0, 3.0, 0.0], [1.0, 2.0, 3.0, 4.0, -5.0]])
    wanted = [[0.0, -4.0, 2.0, 3.0, 0.0], [0.0, 0.0, 3.0, 4.0, -5.0]]
    assert released(values, "top 3").tolist() == wanted
    assert torch.equal(released(values[:, :2], "top 3"), values[:, :2])


def test_one_digit():
    values = torch.tensor([[0.0, 123.0, -0.0456, 9.7]]).double()
    assert released(values, "rounded")[0].tolist() == pytest.approx([0.0, 100.0, -0.05, 10.0])


def test_the_predicted_output_is_explained(trained, table):
    values = torch.arange(24.0).view(4, 3, 2)
    which = trained.predict(table.splits.test.x[:4]).argmax(1).tolist()
    assert set(which) == {0, 1}
    wanted = [values[i, :, k].tolist() for i, k in enumerate(which)]
    assert asked(values, trained, table).tolist() == wanted
    assert asked(values[..., :1], trained, table).tolist() == values[..., 0].tolist()


@pytest.mark.parametrize(
    "values",
    [torch.ones(4, 3), torch.ones(3, 3, 2), torch.ones(4, 3, 3), torch.ones(4, 0, 2), [1.0]],
)
def test_values_of_another_shape_are_refused(values, trained, table):
    with pytest.raises(BadInput, match="Given does not return"):
        asked(values, trained, table)


def test_values_that_are_not_finite(trained, table):
    with pytest.raises(NotMeasurable, match="Given returns values"):
        asked(torch.full((4, 3, 2), torch.nan), trained, table)
