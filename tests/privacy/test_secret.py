"""Generators that nobody can seed again."""

import torch

from fivefold.privacy.secret import secret_generator


def test_every_generator_is_new_and_none_follows_from_the_global_seed():
    state = torch.random.get_rng_state()
    with torch.random.fork_rng():
        a = torch.randn(50, generator=secret_generator())
        b = torch.randn(50, generator=secret_generator())
    assert not torch.equal(a, b)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_draws_are_normal():
    from scipy.stats import kstest

    drawn = torch.randn(20_000, generator=secret_generator(), dtype=torch.float64)
    assert kstest(drawn.numpy(), "norm").pvalue > 1e-5


def test_the_whole_state_is_secret_not_only_32_bits_of_a_seed():
    """Most words of two states differ in both halves; a 32-bit seed would make all follow from one."""
    made = secret_generator()
    words = made.get_state()[24 : 24 + 8 * 624].view(torch.int64)
    again = (
        torch.Generator()
        .manual_seed(int(words[0]))
        .get_state()[24 : 24 + 8 * 624]
        .view(torch.int64)
    )
    assert words[0] == again[0]  # the seed that would explain the first word
    assert int((words[1:] == again[1:]).sum()) < 10
    assert int((words >> 32).abs().max()) == 0
