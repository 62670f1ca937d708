"""Nothing is drawn from a generator that everybody shares, and nothing is left in it."""

import torch
from torch import nn

from fivefold.core.randomness import drawing_from
from seeding import seeded


def test_layers_draw_from_the_given_generator_and_leave_the_shared_one_alone():
    drop, ones, state = nn.Dropout(0.5), torch.ones(200), torch.random.get_rng_state()
    with drawing_from(seeded(1)):
        one = drop(ones)
    with drawing_from(seeded(1)):
        same = drop(ones)
    with drawing_from(seeded(2)):
        other = drop(ones)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
