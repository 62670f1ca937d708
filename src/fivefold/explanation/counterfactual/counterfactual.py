"""The smallest plausible changes that turn an answer (Wachter et al., 2018; Mothilal et al., 2020)."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from fivefold.core.data import Inputs
from fivefold.core.errors import NotMeasurable, no_text
from fivefold.core.limits import Count, NonNegative, Positive
from fivefold.core.model import HasNet, Model
from fivefold.core.progress import track
from fivefold.core.randomness import fresh_seed
from fivefold.explanation.counterfactual.answer import Counterfactuals
from fivefold.explanation.counterfactual.goal import Goal, Want, goal_of
from fivefold.explanation.counterfactual.hunt import Hunt, Taste
from fivefold.explanation.counterfactual.judge import Judge
from fivefold.explanation.counterfactual.ruler import Ruler, ruler_of
from fivefold.explanation.counterfactual.rules import Actions, is_allowed, rules_of
from fivefold.explanation.counterfactual.search import Caught, Known, caught, search
from fivefold.explanation.question import asked
from fivefold.perturb import Features

MOST_BACKGROUND = 2048
CELLS, LARGEST_BLOCK = 2**23, 128  # values that a block of rows makes at once; rows in it


@dataclass(frozen=True, kw_only=True)
class Counterfactual:
    """How to search for changes that turn an answer. Any model of a table; gradients help where there are some.

    Lengths are in units of the schema's scale, added up over columns; another category and the filling
    of a gap count 1. A known value never becomes unknown. A column that the answer may only rise with
    (`monotone`) is moved only in the direction that helps; with more than two classes that has no
    meaning and is ignored.

    Attributes:
        n: Answers wanted for each row.
        seconds: Limit of time for all rows; the clock is looked at before each batch of the model.
        budget: Answers asked of the model for each row at most, before the last confirmation.
        margin: How far beyond the border an answer must be, in log-odds or units of the target.
        sparsity: Length that one column less is worth.
        plausibility: How much dearer a change is that ends outside the ordinary: this times the excess
            of its local outlier factor.
        fixed: Columns that stay, besides the schema's immutable ones.
        rising: Columns that may only rise, such as age.
        falling: Columns that may only fall.
    """

    n: Count = 3
    seconds: Positive = 10.0
    budget: Count = 4000
    margin: NonNegative = 0.0
    sparsity: NonNegative = 0.25
    plausibility: NonNegative = 2.0
    fixed: tuple[str, ...] = ()
    rising: tuple[str, ...] = ()
    falling: tuple[str, ...] = ()

    def __call__(
        self, model: Model, x: Inputs, background: Inputs, want: Want = None, *, rng: Generator
    ) -> Counterfactuals:
        """Return the smallest changes of each row after which the answer is the wanted one.

        Args:
            model: What is asked.
            x: The rows.
            background: Ordinary rows, to draw values from and to judge plausibility by: a few hundred
                training rows.
            want: Name or index of the class; any other class by default. For numbers the range to reach.
            rng: Source of whatever is sampled.

        Raises:
            BadInput: Inputs that the model does not eat, or a class, range or column that does not exist.
            NotMeasurable: The inputs are no table.
        """

        def goal(told: Float[Tensor, "rows outputs"]) -> Goal:
            return goal_of(model.task, told, want, self.margin)

        return sought(self, model, (x, background), goal, rng)

    @property
    def actions(self) -> Actions:
        """What may change, besides what the schema says."""
        return Actions(self.fixed, self.rising, self.falling)


def counterfactuals(
    model: Model,
    x: Inputs,
    background: Inputs,
    want: Want = None,
    *,
    rng: Generator,
    method: Counterfactual = Counterfactual(),
) -> Counterfactuals:
    """Return the smallest plausible changes of each row that turn its answer.

    Args:
        model: Any model of a table.
        x: The rows.
        background: A few hundred training rows, to draw values from and to judge plausibility by.
        want: Name or index of the class, any other class by default; for numbers the range to reach.
        rng: Source of whatever is sampled. The same one gives the same answers, unless time runs out.
        method: Settings of the search: time, answers per row, columns that may not change, ...
    """
    return method(model, x, background, want, rng=rng)


def sought(
    method: Counterfactual,
    model: Model,
    rows: tuple[Inputs, Inputs],
    goal_from: Callable[[Tensor], Goal],
    rng: Generator,
) -> Counterfactuals:
    """Return the answers for `rows`, which are those to explain and the background.

    Args:
        method: Settings.
        model: What is asked.
        rows: The rows, and the background.
        goal_from: Makes the goal from the answers to the rows as they are.
        rng: Source of whatever is sampled.
    """
    _refuse_other_than_tables(model)
    question = asked(model, *rows, Features())
    x, background = question.x, question.background
    until = monotonic() + method.seconds
    judge = Judge(model=model, until=until)
    goal = goal_from(_start(judge, x))
    seed, ruler = fresh_seed(rng), ruler_of(model.schema, background, rng)
    known = _known(judge, background, until, rng)
    parts = list(torch.arange(len(x)).split(_size(x.shape[1])))
    found: list[_Found] = []
    for i, part in enumerate(track(parts, "counterfactuals")):
        now = monotonic()
        judge.begin(now + (until - now) / (len(parts) - i), kept_back=2 * method.n * len(part))
        hunt = _hunt(method, x[part], goal.take(part), ruler, judge)
        search(hunt, known, Generator().manual_seed(seed))
        found.append(_confirmed(method, hunt))
    whole = [torch.cat(piece) for piece in zip(*found, strict=True)]
    return Counterfactuals(
        x=x,
        before=goal.start,
        values=whole[0],
        outputs=whole[1],
        distance=whole[2],
        outlier=whole[3],
        usual=whole[4],
        n_evaluations=whole[5],
        is_done=goal.is_met(goal.excess(goal.start[:, None])[:, 0]),
        may_change=whole[6].bool(),
        is_stopped=whole[7].bool(),
        seconds=method.seconds,
        schema=model.schema,
        task=model.task,
    )


class _Found(NamedTuple):
    """What a block of rows contributes to the result, in the order of its fields."""

    values: Tensor
    outputs: Tensor
    distance: Tensor
    outlier: Tensor
    usual: Tensor
    n_evaluations: Tensor
    may_change: Tensor
    is_stopped: Tensor


def _hunt(method: Counterfactual, x: Tensor, goal: Goal, ruler: Ruler, judge: Judge) -> Hunt:
    rules = rules_of(judge.model.schema, x, method.actions, goal.direction())
    taste = Taste(method.sparsity, method.plausibility)
    hunt = Hunt(rules=rules, goal=goal, ruler=ruler, judge=judge, taste=taste, budget=method.budget)
    hunt.live &= ~goal.is_met(goal.excess(goal.start[:, None])[:, 0])
    hunt.live &= ~goal.start.isnan().any(1)
    return hunt


def _confirmed(method: Counterfactual, hunt: Hunt) -> _Found:
    """Return the answers that the model confirms and the schema allows, both asked anew."""
    unasked = hunt.goal.start.isnan().any(1)
    is_stopped = (hunt.live & hunt.judge.is_late) | unasked
    hunt.judge.kept_back = 0
    found: Caught = caught(hunt, method.n)
    x, schema, way = hunt.rules.x, hunt.judge.model.schema, hunt.goal.direction()
    good = found.distance.isfinite() & is_allowed(schema, x, found.values, method.actions, way)
    values = torch.where(good[..., None], found.values, torch.nan)
    outputs = torch.where(good[..., None], found.outputs, torch.nan)
    outlier = torch.where(good, hunt.ruler.outlier(found.values), torch.nan)
    distance = found.distance.masked_fill(~good, torch.inf)
    may_change = hunt.rules.is_free.any(1)
    return _Found(
        values, outputs, distance, outlier, hunt.usual, hunt.spent, may_change, is_stopped
    )


def _start(judge: Judge, x: Tensor) -> Float[Tensor, "rows outputs"]:
    answers, done = judge.answers(x)
    if not answers[done].isfinite().any(1).all() or answers[done].isnan().any():
        raise NotMeasurable(
            "The model's answer to some of the rows is not a finite number.",
            mend="Check the model's outputs on ordinary inputs first.",
        )
    return answers


def _known(judge: Judge, background: Tensor, until: float, rng: Generator) -> Known:
    """Return the background with as many of its answers as a third of the time allows; NaN for the others."""
    some = torch.randperm(len(background), generator=rng)[:MOST_BACKGROUND]
    judge.begin(monotonic() + (until - monotonic()) / 3)
    answers, _ = judge.answers(background[some])
    net = judge.model.net if isinstance(judge.model, HasNet) else None
    return Known(background[some], answers, net)


def _size(columns: int) -> int:
    """Return how many rows are searched at once."""
    return max(1, min(LARGEST_BLOCK, CELLS // (columns * max(256, 4 * columns))))


def _refuse_other_than_tables(model: Model) -> None:
    if model.schema.is_text:
        raise no_text("A counterfactual")
    if not model.schema.is_table:
        raise NotMeasurable(
            "Smallest changes of pixels that turn an answer are attacks, and say little to a reader.",
            mend="Use a model of tables, or generalization.RobustAccuracy for images.",
        )
