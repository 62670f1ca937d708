from dataclasses import dataclass

import pytest

from fivefold.core.errors import BadInput
from fivefold.efficiency.width import narrower
from fivefold.models import MLP, ConvNet, ResNet


@dataclass(frozen=True)
class Shapeless:
    depth: int = 3

    def build(self, schema, task, rng):
        raise AssertionError


class Plain:
    def build(self, schema, task, rng):
        raise AssertionError


def test_every_layer_becomes_narrower():
    assert narrower(MLP(hidden=(64, 10)), 0.5) == MLP(hidden=(32, 5))
    assert narrower(ConvNet(width=16, hidden=64), 0.25) == ConvNet(width=12, hidden=48)
    assert narrower(ResNet(width=16), 0.5) == ResNet(width=8)


def test_one_unit_stays_and_halves_are_rounded_up():
    assert narrower(MLP(hidden=(1, 5)), 0.5) == MLP(hidden=(1, 3))
    assert narrower(MLP(hidden=(9,)), 1.0) == MLP(hidden=(1,))


@pytest.mark.parametrize("architecture", [Shapeless(), Plain()])
def test_an_architecture_without_a_width_needs_a_named_student(architecture):
    with pytest.raises(BadInput, match=f"smaller {type(architecture).__name__}") as caught:
        narrower(architecture, 0.5)
    assert 'use = "models.MLP"' in str(caught.value)
