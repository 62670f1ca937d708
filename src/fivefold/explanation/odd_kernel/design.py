"""Which sets to ask about: those that leave the least doubt (Chaloner and Verdinelli, 1995; Sacks et al., 1989).

A random set tells much of what another has told. Here each next set is the one of a random pool that most
lowers the sum of the variances of all Shapley values under a prior, before any answer is known: the
variances of a Gaussian process do not depend on the answers. So the same sets serve every row and output.
"""

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor

from fivefold.explanation.coalitions import leverage_pairs
from fivefold.explanation.kernel_likelihood import Kernel
from fivefold.explanation.odd_kernel.kernel import gram, section_values

CHOSEN = 256  # pairs that are chosen with care; of more, the rest are drawn by leverage score
WIDE = 4  # each is chosen from so many times as many
REACH, LINE = 2.0, 3.0  # of the prior: how many features interact, and how much of a game is a line
NOISE = 1e-3


def designed(n: int, n_pairs: int, rng: Generator) -> Bool[Tensor, "pairs features"]:
    """Return different pairs of sets, the most telling first, so that any first part of them is a design too.

    A pair is listed by one of its two sets; the full and the empty set are not among them.
    """
    n_chosen = min(n_pairs, CHOSEN)
    pool = leverage_pairs(n, max(n_pairs, WIDE * n_chosen), rng).keep
    pool = pool[torch.randperm(len(pool), generator=rng)]
    near, far = pool[: WIDE * n_chosen], pool[WIDE * n_chosen :]
    order = _telling(near, min(n_chosen, len(near)))
    is_left = torch.ones(len(near)).bool()
    is_left[order] = False
    others = torch.cat([near[is_left], far])
    others = others[torch.randperm(len(others), generator=rng)]
    return torch.cat([near[order], others])[:n_pairs]


def _telling(pool: Bool[Tensor, "sets features"], count: int) -> Int[Tensor, " chosen"]:
    """Return which sets of the pool to ask about, in order, the full set being known."""
    n = pool.shape[1]
    one = torch.ones(1, n, dtype=torch.float64)
    prior = Kernel(theta=one * REACH / n, line=one * LINE, alpha=one[:, 0])
    signs = torch.cat([pool, torch.ones(1, n).bool()]).double() * 2 - 1
    matrix, sections = gram(prior, signs)[0], section_values(prior, signs)[0]
    doubt = matrix.diagonal() + NOISE  # variance of each set's score
    known = torch.zeros(count + 1, len(signs), dtype=torch.float64)  # rows of the Cholesky factor
    is_open = torch.ones(len(signs)).bool()
    order, at = [], len(pool)
    for step in range(count):
        is_open[at] = False
        known[step] = (matrix[at] - known[:step, at] @ known[:step]) / doubt[at].sqrt()
        sections = sections - known[step][:, None] * (sections[at] / doubt[at].sqrt())
        doubt = (doubt - known[step] ** 2).clamp(min=NOISE)
        at = int((sections.square().sum(1) / doubt).masked_fill(~is_open, -1).argmax())
        order.append(at)
    return torch.tensor(order, dtype=torch.int64)
