"""One search: what is asked of the model, what it costs, and the best changes so far."""

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.explanation.counterfactual.goal import Goal
from fivefold.explanation.counterfactual.judge import Judge
from fivefold.explanation.counterfactual.pool import Pool, empty
from fivefold.explanation.counterfactual.ruler import Ruler
from fivefold.explanation.counterfactual.rules import Rules

MEMBERS = 16  # changes kept for each row
DEAREST = 4.0  # times the cheapest price that an alternative may cost
PATIENCE, GAIN = 3, 0.01  # rounds without a gain of this share, after which a row is done


class Taste(NamedTuple):
    """What a change costs beside its length: each column, and each step out of the ordinary."""

    sparsity: float
    plausibility: float


@dataclass(kw_only=True)
class Hunt:
    """The search for some rows at once. Each row's luck is independent of its company.

    Attributes:
        rules: What may change.
        goal: What is wanted.
        ruler: How long a change is, and how ordinary its end.
        judge: Who asks the model.
        taste: What else a change costs.
        budget: Answers asked for per row.
        pool: The best changes so far.
        spent: Answers asked for so far.
        live: Rows that are still searched.
        stale: Rounds since the best change became cheaper.
        record: Price of the best change when it was last looked at.
        usual: Outlier factor that is ordinary enough: the background's, or the row's own.
    """

    rules: Rules
    goal: Goal
    ruler: Ruler
    judge: Judge
    taste: Taste
    budget: int
    pool: Pool = field(init=False)
    spent: Tensor = field(init=False)
    live: Tensor = field(init=False)
    stale: Tensor = field(init=False)
    record: Tensor = field(init=False)
    usual: Tensor = field(init=False)

    def __post_init__(self) -> None:
        x = self.rules.x
        self.pool = empty(x, self.goal.start.shape[1])
        self.spent = torch.zeros(len(x), dtype=torch.int64)
        self.live = self.rules.is_free.any(1)
        self.stale = torch.zeros_like(self.spent)
        self.record = torch.full((len(x),), torch.inf, dtype=torch.float64)
        self.usual = self.ruler.outlier(x).clamp(min=self.ruler.limit)

    @property
    def is_over(self) -> bool:
        """Whether there is no row, or no time, left."""
        return self.judge.is_late or not bool(self.live.any())

    def consider(
        self, tried: Float[Tensor, "rows some columns"]
    ) -> tuple[Float[Tensor, "rows some columns"], Float[Tensor, "rows some"]]:
        """Ask about changes, keep the best, and return them as the rules allow with how far each succeeds.

        NaN where nothing was asked: no change, no budget or no time.
        """
        tried = self.rules.obeyed(tried)
        length = self._length(tried)
        ask = self.rules.changed(tried).any(-1) & self.live[:, None] & (length < self._dearest())
        ask &= self.spent[:, None] + ask.cumsum(1) <= self.budget
        answers, done = self.judge.answers(tried[ask])
        rows = ask.nonzero()[:, 0]
        excess = torch.full(ask.shape, torch.nan, dtype=torch.float64)
        told = self.goal.excess(answers[:, None], rows)[:, 0]
        excess[ask] = torch.where(done, told, torch.nan)
        self.spent.index_add_(0, rows, done.long())
        outputs = torch.full((*ask.shape, answers.shape[1]), torch.nan, dtype=torch.float64)
        outputs[ask] = answers
        self._keep(tried, outputs, excess, length)
        return tried, excess

    def close_round(self) -> None:
        """Let go of rows that have not gained for some rounds, or have spent their budget."""
        now = torch.where(self.pool.is_met, self.pool.price, torch.inf).amin(1)
        missed = torch.where(self.pool.is_met, torch.inf, self.pool.price).amin(1)
        now = torch.where(
            now.isinf(), missed + 1e9, now
        )  # until one succeeds, the nearest miss counts
        gained = now < self.record - GAIN * now.abs().clamp(max=1e3)
        gained |= (now > 1e9) & (now < self.record)
        self.stale = torch.where(gained, 0, self.stale + 1)
        self.record = torch.minimum(now, self.record)
        self.live &= (self.stale < PATIENCE) & (self.spent < self.budget)

    def _keep(self, tried: Tensor, outputs: Tensor, excess: Tensor, length: Tensor) -> None:
        met = self.goal.is_met(excess)
        price = torch.where(met, length, -excess).nan_to_num(nan=torch.inf, posinf=torch.inf)
        found = Pool(tried, outputs, price, met).ordered().first(2 * MEMBERS)
        found = found._replace(price=self._with_oddity(found))
        x = self.rules.x
        self.pool = self.pool.joined(found).ordered().distinct(x).ordered().first(MEMBERS)

    def _length(self, tried: Tensor) -> Float[Tensor, "rows some"]:
        """Return the price of each change if it succeeds and ends in the ordinary: the least it can be."""
        n_changed = self.rules.changed(tried).sum(-1)
        away = self.ruler.distance(self.rules.x, tried)
        return (away + self.taste.sparsity * n_changed).double()

    def _dearest(self) -> Float[Tensor, "rows 1"]:
        """Return the price from which on a change would not be kept, or never chosen, so that nobody need ask."""
        price = torch.where(self.pool.is_met, self.pool.price, torch.inf)
        if price.shape[1] < MEMBERS:
            price = torch.cat([price, torch.full_like(self.record[:, None], torch.inf)], dim=1)
        return torch.minimum(price.amax(1), DEAREST * price.amin(1))[:, None]

    def _with_oddity(self, found: Pool) -> Tensor:
        """Return the prices with what strangeness adds, for the changes that succeed."""
        price, met = found.price.clone(), found.is_met
        if met.any() and self.taste.plausibility:
            factor = self.ruler.outlier(found.tried[met])
            usual = self.usual[:, None].expand(met.shape)[met]
            beyond = (factor / usual - 1).clamp(min=0).nan_to_num(nan=0.0).double()
            price[met] = price[met] * (1 + self.taste.plausibility * beyond)
        return price
