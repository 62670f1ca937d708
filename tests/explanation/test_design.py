import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.explanation.coalitions import leverage_pairs
from fivefold.explanation.kernel_likelihood import Kernel
from fivefold.explanation.odd_kernel.design import LINE, NOISE, REACH, designed
from fivefold.explanation.odd_kernel.kernel import gram, prior_variance, section_values
from seeding import seeded


def prior(n):
    one = torch.ones(1, n).double()
    return Kernel(one * REACH / n, one * LINE, one[:, 0])


def doubt(keep):
    """The sum of the variances of all values once the scores of these pairs and the full set are known."""
    n = keep.shape[1]
    signs = torch.cat([keep, torch.ones(1, n).bool()]).double() * 2 - 1
    matrix, sections = gram(prior(n), signs)[0], section_values(prior(n), signs)[0]
    noise = torch.full((len(signs),), NOISE).double()
    told = torch.linalg.solve(matrix + noise.diag(), sections)
    return float(prior_variance(prior(n)).sum() - (sections * told).sum())


@settings(max_examples=20, deadline=None, derandomize=True)
@given(n=st.integers(1, 20), count=st.integers(0, 60), seed=st.integers(0, 100))
def test_pairs_are_distinct_and_as_many_as_asked(n, count, seed):
    keep = designed(n, count, seeded(seed))
    assert keep.shape == (min(count, 2 ** (n - 1) - 1), n)
    both = torch.cat([keep, ~keep])
    assert len(torch.unique(both, dim=0)) == len(both)
    assert ((both.sum(1) > 0) & (both.sum(1) < n)).all()


def test_each_next_set_is_the_one_that_leaves_least_doubt():
    """A slow twin: every set of the pool is tried."""
    n, count = 6, 8
    keep = designed(n, count, seeded(3))
    pool = leverage_pairs(n, 4 * count, seeded(3)).keep
    for i in range(count):
        known = [tuple(row) for row in keep[:i].tolist()]
        others = [row for row in pool if tuple(row.tolist()) not in known]
        least = min(doubt(torch.cat([keep[:i], row[None]])) for row in others)
        assert abs(doubt(keep[: i + 1]) - least) < 1e-6


def test_chosen_sets_leave_less_doubt_than_drawn_ones():
    for n, count in ((8, 15), (20, 40)):
        drawn = doubt(leverage_pairs(n, count, seeded(1)).keep)
        assert doubt(designed(n, count, seeded(1))) < 0.8 * drawn


def test_more_pairs_than_are_chosen_are_drawn():
    keep = designed(30, 700, seeded(2))
    assert len(torch.unique(torch.cat([keep, ~keep]), dim=0)) == 1400
    assert torch.equal(keep, designed(30, 700, seeded(2)))
    assert not torch.equal(keep, designed(30, 700, seeded(3)))
