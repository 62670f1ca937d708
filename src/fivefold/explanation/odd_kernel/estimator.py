"""Shapley values from a Gaussian process over the odd part of the game (Rasmussen and Williams, 2006)."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from fivefold.core.data import Inputs
from fivefold.core.errors import NotMeasurable
from fivefold.core.limits import Count, Natural, Positive
from fivefold.core.model import Model
from fivefold.explanation.attribution import Attribution
from fivefold.explanation.exact import shapley_weights
from fivefold.explanation.game import Played
from fivefold.explanation.kernel_likelihood import Kernel
from fivefold.explanation.odd_kernel.design import designed
from fivefold.explanation.odd_kernel.kernel import ODD
from fivefold.explanation.odd_kernel.posterior import Posterior, optimism, posterior
from fivefold.explanation.question import AS_IT_IS, asked
from fivefold.explanation.removal import Removal
from fivefold.explanation.rounds import Plan, in_rounds, stops
from fivefold.perturb import Features

TOGETHER = 50  # steps by which a kernel for all rows and outputs is found
TUNED = 600  # sets by which a kernel is chosen; more cost time and hardly change it
ROOM = 2**21  # entries of the matrices that exist at one time
MOST = 4096  # pairs of sets whose matrix, of all pairs of pairs, is made and factored


@dataclass(frozen=True, kw_only=True)
class OddKernelSHAP:
    """Shapley values of any model from few model evaluations, with posterior standard errors.

    For models that are slow to ask: it takes more time per row than LeverageSHAP and needs fewer answers.
    Sets are chosen so that their answers leave the least doubt, and a Gaussian process over the odd part
    of the game, with a reach of its own for each feature, says what the values are.

    Features are hidden by background rows: values answer what the model would say if a feature were
    another row's. Values add up to (score - base) exactly; a budget of all sets is exact.

    Kernels are learnt from all rows and outputs together, so that the values of a row depend a little on
    which other rows are explained in the same call.

    Attributes:
        budget: Most sets of features tried, the full and the empty one included.
        steps: Steps by which each row and output finds a kernel of its own; 0 learns one kernel from all of
            them together, which is fast for many rows and less accurate.
        rounds: The budget is spent in at most so many rounds, each doubling the sets played; a row that
            has converged plays no more.
        tolerance: A row is converged if the error is at most this share of its attributions.
        features: What counts as one feature.
        removal: How a hidden feature is replaced.
    """

    budget: Count = 512
    steps: Natural = 50
    rounds: Count = 1
    tolerance: Positive = 0.1
    features: Features = Features()
    removal: Removal = AS_IT_IS

    def evaluations(self, n: int, rows: int, background: int) -> int:
        """Return at most how many inputs the model will answer; rows that converge early ask for fewer."""
        return rows * (1 + self.budget * background) + background

    def __call__(
        self, model: Model, x: Inputs, background: Inputs, *, rng: Generator
    ) -> Attribution:
        """Return the values and their standard errors.

        Raises:
            NotMeasurable: The budget is too large to factor, and too small for every set.
        """
        question = asked(
            model, x, background, self.features, hides_words=True, removal=self.removal
        )
        keep = designed(question.groups.n, max(self.budget - 2, 0) // 2, rng)
        plan = Plan(keep, stops(len(keep), self.rounds), self.tolerance)
        _refuse_many(plan.stops, question.groups.n)

        def solve(count: int, played: Played) -> tuple[Tensor, Tensor]:
            return _solved(keep[:count], played, self.steps)

        return in_rounds(model, question, plan, solve, "OddKernelSHAP")


def _refuse_many(counts: list[int], n: int) -> None:
    """Refuse more sets than fit into a matrix, before the model is asked; all sets need none."""
    modelled = max(0 if _is_every(count, n) else count for count in counts)
    if modelled > MOST:
        raise NotMeasurable(
            "A Gaussian process over {sets} sets of features is too much; the limit is {most}.",
            mend="Lower the budget, or use LeverageSHAP, whose time grows in proportion to it.",
            sets=2 * modelled + 2,
            most=2 * MOST + 2,
        )


def _is_every(n_pairs: int, n: int) -> bool:
    return n_pairs == 2 ** (n - 1) - 1


def _solved(
    keep: Bool[Tensor, "pairs features"], played: Played, steps: int
) -> tuple[Float[Tensor, "rows features outputs"], Float[Tensor, "rows features outputs"]]:
    n, total = keep.shape[1], played.full - played.empty.mean(0)
    if _is_every(len(keep), n):
        values = _listed(keep, played)
        return values, torch.zeros_like(values)
    if not len(keep):
        even = (total / n)[:, None].expand(-1, n, -1)
        return even, torch.full_like(even, torch.inf)
    signs = torch.cat([keep, torch.ones(1, n).bool()]).double() * 2 - 1
    odd = (played.some[:, 0::2] - played.some[:, 1::2]) / 2
    targets = torch.cat([odd, total[:, None] / 2], 1).transpose(1, 2)  # (rows, outputs, sets)
    values, error = _modelled(signs, targets.flatten(0, 1), steps)
    shape = (len(total), total.shape[1])
    values = values.unflatten(0, shape).transpose(1, 2)
    lacks = total - values.sum(1)
    return values + lacks[:, None] / n, error.unflatten(0, shape).transpose(1, 2)


def _modelled(
    signs: Float[Tensor, "sets features"], targets: Float[Tensor, "games sets"], steps: int
) -> tuple[Float[Tensor, "games features"], Float[Tensor, "games features"]]:
    """Return values and errors; each game is measured in its own unit, so that all weigh alike."""
    size = targets.square().mean(1, keepdim=True).sqrt().clamp(min=1e-150)
    scaled = targets / size
    found = _own(signs, scaled, steps) if steps else _pooled(signs, scaled)
    return found.values * size, found.error * size


def _pooled(signs: Tensor, targets: Tensor) -> Posterior:
    found = _judged(signs, targets.T[None], TOGETHER)
    return Posterior(found.values[0].T, found.error[0].T)


def _own(signs: Tensor, targets: Tensor, steps: int) -> Posterior:
    size = max(1, ROOM // max(signs.shape) ** 2)
    parts = [_judged(signs, some[:, :, None], steps) for some in targets.split(size)]
    values = torch.cat([part.values for part in parts])[:, :, 0]
    return Posterior(values, torch.cat([part.error for part in parts])[:, :, 0])


def _judged(signs: Tensor, targets: Float[Tensor, "kernels sets games"], steps: int) -> Posterior:
    """Return the posterior, its errors wider by what choosing a reach for each feature may hide."""

    def find(some: Tensor, answers: Tensor) -> Kernel:
        return ODD.learnt(some, answers, steps)

    tuned = _tuned(len(signs))
    some, answers = signs[tuned], targets[:, tuned]
    values, error = posterior(find(some, answers), signs, targets)
    n_chosen = 2 + signs.shape[1] / targets.shape[2]
    doubt = optimism(find, some, answers) * (1 + n_chosen / len(tuned))
    return Posterior(values, error * doubt.sqrt()[:, None])


def _tuned(n_sets: int) -> Tensor:
    """Return the sets that choose the kernel: the first ones, and the full set, which is the last."""
    return torch.cat([torch.arange(min(n_sets - 1, TUNED)), torch.tensor([n_sets - 1])])


def _listed(
    keep: Bool[Tensor, "pairs features"], played: Played
) -> Float[Tensor, "rows features outputs"]:
    """Return the exact values if every set was played."""
    n = keep.shape[1]
    ends = torch.tensor([True, False])[:, None].expand(-1, n)
    sets = torch.cat([torch.stack([keep, ~keep], 1).flatten(0, 1), ends])
    empty = played.empty.mean(0).expand_as(played.full)
    scores = torch.cat([played.some, played.full[:, None], empty[:, None]], 1)
    return shapley_weights(sets) @ scores
