from dataclasses import dataclass

import pytest

from fivefold.core.errors import BadInput
from fivefold.efficiency.width import half_as_wide, rewidened
from fivefold.models import MLP


@dataclass(frozen=True)
class Tower:
    depth: int = 3
    width: int = 32

    def build(self, schema, task, rng):
        raise AssertionError


@dataclass(frozen=True)
class Shapeless:
    depth: int = 3

    def build(self, schema, task, rng):
        raise AssertionError


def test_half_of_every_layer():
    assert half_as_wide(MLP(hidden=(64, 10))) == MLP(hidden=(32, 5))
    assert half_as_wide(Tower()) == Tower(width=16)


def test_one_unit_stays():
    assert half_as_wide(MLP(hidden=(1, 5))) == MLP(hidden=(1, 2))


def test_an_architecture_without_a_width_needs_a_named_student():
    with pytest.raises(BadInput, match="smaller Shapeless") as caught:
        half_as_wide(Shapeless())
    assert 'use = "models.MLP"' in str(caught.value)


def test_new_widths_are_told_only_where_the_old_ones_were():
    assert rewidened(MLP(hidden=(8, 8)), (8, 8), (3, 4)) == MLP(hidden=(3, 4))
    assert rewidened(MLP(hidden=(8, 8)), (8, 9), (3, 4)) == MLP(hidden=(8, 8))
    assert rewidened(Shapeless(), (8,), (3,)) == Shapeless()
