"""The search: neighbours, single columns, gradients and chance; then breeding and shortening in turns."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from fivefold.explanation.counterfactual.choose import diverse
from fivefold.explanation.counterfactual.hunt import Hunt
from fivefold.explanation.counterfactual.propose import (
    bred,
    ladder,
    neighbours,
    scattered,
    sweep,
    traded,
)
from fivefold.explanation.counterfactual.refine import COARSE, FINE, shorten, thin
from fivefold.explanation.counterfactual.slopes import along_gradient
from fivefold.explanation.counterfactual.tidy import in_few_digits

THINNED, SHORTENED, CHANCES, CHILDREN, TRADES, ROUNDS = 4, 6, 64, 48, 48, 40


class Known(NamedTuple):
    """What the search draws from: background rows with their answers, and the network if it is open."""

    background: Float[Tensor, "background columns"]
    answers: Float[Tensor, "background outputs"]
    net: nn.Module | None


class Caught(NamedTuple):
    """Answers of a search, each confirmed by the model; `distance` is infinite where there is none."""

    values: Float[Tensor, "rows answers columns"]
    outputs: Float[Tensor, "rows answers outputs"]
    distance: Float[Tensor, "rows answers"]


def search(hunt: Hunt, known: Known, rng: Generator) -> None:
    """Fill the pool of `hunt`, until every row has stopped gaining, or its budget or the time is spent."""
    _start(hunt, known, rng)
    for turn in range(ROUNDS):
        if hunt.is_over:
            return
        _shrink(hunt)
        hunt.consider(bred(hunt, known.background, CHILDREN, rng))
        hunt.consider(traded(hunt, TRADES, rng))
        if turn % 2 == 0 and known.net is not None:
            hunt.consider(along_gradient(hunt, known.net, hunt.pool.tried[:, 0]))
        if not bool(hunt.pool.is_met[:, 0].all()):
            hunt.consider(scattered(hunt, known.background, CHANCES, rng))
        hunt.close_round()


def caught(hunt: Hunt, n: int) -> Caught:
    """Return up to `n` diverse answers of each row, with few digits where that holds, asked once more.

    Where time has run out they are as the search found them, with the model's answer of that time.
    """
    if not hunt.pool.price.shape[1]:
        return _nothing(hunt, n)
    raw = diverse(hunt, n)
    both = torch.cat([in_few_digits(hunt, raw.tried), raw.tried], dim=1)
    ask = raw.is_met.repeat(1, 2) & hunt.rules.changed(both).any(-1)
    answers, done = hunt.judge.answers(both[ask])
    outputs = torch.cat([torch.full_like(raw.outputs, torch.nan), raw.outputs], dim=1)
    outputs[ask] = torch.where(done[:, None], answers, outputs[ask])
    hunt.spent.index_add_(0, ask.nonzero()[:, 0], done.long())
    met = hunt.goal.is_met(hunt.goal.excess(outputs)) & ask
    return _first_that_holds(hunt, both, outputs, met, n)


def _nothing(hunt: Hunt, n: int) -> Caught:
    x, outputs = hunt.rules.x[:, None].repeat(1, n, 1), hunt.goal.start[:, None].repeat(1, n, 1)
    return Caught(x, outputs, torch.full(x.shape[:2], torch.inf))


def _start(hunt: Hunt, known: Known, rng: Generator) -> None:
    hunt.consider(neighbours(hunt, known.background, known.answers))
    values = ladder(hunt, known.background)
    free = hunt.rules.is_free.any(0).nonzero()[:, 0]
    most = max(1, hunt.budget // 4 // values.shape[1])
    free = free[torch.randperm(len(free), generator=rng)[:most].sort().values]
    for columns in free.split(32):
        hunt.consider(sweep(hunt, values, columns))
    if known.net is not None:
        hunt.consider(along_gradient(hunt, known.net, hunt.rules.x))
    hunt.consider(scattered(hunt, known.background, CHANCES, rng))


def _shrink(hunt: Hunt) -> None:
    thin(hunt, THINNED)
    shorten(hunt, SHORTENED, COARSE)
    shorten(hunt, SHORTENED, FINE)


def _first_that_holds(hunt: Hunt, both: Tensor, outputs: Tensor, met: Tensor, n: int) -> Caught:
    """Return the tidy answer where the model confirms it, the raw one where it confirms that, or none."""
    tidy, raw = both[:, :n], both[:, n:]
    is_tidy, is_any = met[:, :n], met[:, :n] | met[:, n:]
    values = torch.where(is_tidy[..., None], tidy, raw)
    told = torch.where(is_tidy[..., None], outputs[:, :n], outputs[:, n:])
    distance = hunt.ruler.distance(hunt.rules.x, values).masked_fill(~is_any, torch.inf)
    order = (~is_any).long().argsort(dim=1, stable=True)
    wide = order[..., None]
    return Caught(
        values.gather(1, wide.expand(-1, -1, values.shape[-1])),
        told.gather(1, wide.expand(-1, -1, told.shape[-1])),
        distance.gather(1, order),
    )
