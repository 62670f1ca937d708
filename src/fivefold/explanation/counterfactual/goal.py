"""What is wanted of an answer, and by how much an answer misses it."""

from typing import NamedTuple, TypeAlias

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fivefold.core.errors import BadInput
from fivefold.core.task import Task

Want: TypeAlias = str | int | tuple[float, float] | None
EDGE = 1e-6  # log-odds nearer to a tie than this may change sides with the size of a batch
ANY = -1
NEVER = -1e4  # log-probability of what a black box says cannot be; no real one is as low


class Goal(NamedTuple):
    """What each row's answer has to become.

    For classes `wanted` is an index, or -1 for any other than `now`; for numbers the answer has to lie
    in [`low`, `high`]. `margin` is how far beyond the border, in log-odds or units of the target.
    `start` are the answers before any change.
    """

    task: Task
    start: Float[Tensor, "rows outputs"]
    wanted: Int[Tensor, " rows"]
    low: Float[Tensor, " rows"]
    high: Float[Tensor, " rows"]
    margin: float

    @property
    def now(self) -> Int[Tensor, " rows"]:
        """Class of each row before any change."""
        return self.start.argmax(-1)

    def take(self, rows: Tensor | slice) -> "Goal":
        """Return the goals of these rows."""
        return self._replace(
            start=self.start[rows],
            wanted=self.wanted[rows],
            low=self.low[rows],
            high=self.high[rows],
        )

    def excess(
        self, answers: Float[Tensor, "rows some outputs"], rows: Tensor | slice = slice(None)
    ) -> Float[Tensor, "rows some"]:
        """Return by how much each answer is on the wanted side; below 0 on the wrong one.

        Differentiable. An answer that is no number is on the wrong side.
        """
        if not self.task.is_classification:
            value = answers[..., 0].double()
            low, high = self.low[rows, None], self.high[rows, None]
            found = torch.minimum(value - low, high - value)
        else:
            logits = answers.double().masked_fill(answers == -torch.inf, NEVER)
            found = self._lead(logits, rows)
        return torch.where(found.isnan(), -torch.inf, found - self.margin)

    def is_met(self, excess: Float[Tensor, "..."]) -> Bool[Tensor, "..."]:
        """Return whether an answer is on the wanted side; the ends of a range belong to it."""
        return excess > EDGE if self.task.is_classification else excess >= 0

    def direction(self) -> Int[Tensor, " rows"]:
        """Return 1 where the answer has to rise, -1 where it has to fall, 0 where that has no meaning.

        The answer of two classes is the second one; more than two have no order.
        """
        if not self.task.is_classification:
            value = self.start[:, 0]
            return (value < self.low + self.margin).long() - (
                value > self.high - self.margin
            ).long()
        if self.task.n_outputs != 2:
            return torch.zeros_like(self.now)
        target = torch.where(self.wanted == ANY, 1 - self.now, self.wanted)
        return 2 * target - 1

    def _lead(self, logits: Tensor, rows: Tensor | slice) -> Tensor:
        """Return how far the best wanted class leads before the best of the others."""
        wanted, now = self.wanted[rows, None, None], self.now[rows, None, None]
        each = torch.arange(logits.shape[-1])
        is_wanted = torch.where(wanted == ANY, each != now, each == wanted)
        best = logits.masked_fill(~is_wanted, -torch.inf).amax(-1)
        return best - logits.masked_fill(is_wanted, -torch.inf).amax(-1)


def goal_of(
    task: Task, start: Float[Tensor, "rows outputs"], want: Want, margin: float = 0.0
) -> Goal:
    """Return the goal of every row.

    Raises:
        BadInput: There is no such class, or a range is needed and is missing or empty.
    """
    n = len(start)
    wanted = torch.full((n,), ANY)
    low, high = -torch.inf, torch.inf
    if task.is_classification:
        if want is not None:
            wanted[:] = _class(task, want)
    else:
        low, high = _range(task, want)
    least, most = (torch.full((n,), end, dtype=torch.float64) for end in (low, high))
    return Goal(task, start.double(), wanted, least, most, margin)


def across(task: Task, start: Float[Tensor, "rows outputs"], middle: float) -> Goal:
    """Return the goal of changing class; for numbers, of reaching `middle` or its other side.

    An answer that is `middle` has to rise above it.
    """
    if task.is_classification:
        return goal_of(task, start, None)
    value, ends = start[:, 0].double(), torch.tensor([-torch.inf, torch.inf]).double()
    centre = torch.tensor(middle, dtype=torch.float64)
    just_above = torch.nextafter(centre, ends[1])
    low = torch.where(value < centre, centre, just_above)
    is_above = value > centre
    return goal_of(task, start, (-torch.inf, torch.inf))._replace(
        low=torch.where(is_above, ends[0], low), high=torch.where(is_above, centre, ends[1])
    )


def _class(task: Task, want: Want) -> int:
    if isinstance(want, str) and want in task.classes:
        return task.classes.index(want)
    if isinstance(want, int) and 0 <= want < len(task.classes):
        return want
    raise BadInput(
        "{want} is not a class of this model.",
        where="want",
        mend="The classes are: {classes}.",
        want=repr(want),
        classes=", ".join(task.classes),
    )


def _range(task: Task, want: Want) -> tuple[float, float]:
    if isinstance(want, tuple) and want[0] <= want[1]:
        return want
    raise BadInput(
        "{want} is not a range of {target}.",
        where="want",
        mend="Give the lowest and the highest number that will do, such as (10.0, 20.0).",
        want=repr(want),
        target=task.target,
    )
