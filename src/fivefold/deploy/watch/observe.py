"""From requests to rows of plain numbers: time, answer, confidence, score, and what is watched of the input."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.deploy.event import REFUSALS, Event, Floats
from fivefold.deploy.watch.reference import answered, features, watched
from fivefold.deploy.watch.subject import Subject

CODES = {"": 0, **{name: i + 1 for i, name in enumerate(REFUSALS)}}
TIME, SECONDS, REFUSED, STATUS, INFERS = range(5)  # of a request
ANSWER, SURE, SCORE, FIRST = range(1, 5)  # of an example, after its time
REQUEST_WIDTH = 5


def request_rows(events: Sequence[Event]) -> Float[Tensor, "request number"]:
    """Return time, seconds, code of the refusal, status and whether it asked for an answer, one row each."""
    rows = [
        (e.time, e.seconds, CODES.get(e.refusal, 0), e.status, e.verb == "infer") for e in events
    ]
    return torch.tensor(rows, dtype=torch.float64).reshape(-1, REQUEST_WIDTH)


def example_width(subject: Subject) -> int:
    """Return how many numbers one example becomes."""
    return FIRST + len(watched(subject.schema))


def example_rows(
    events: Sequence[Event], sizes: Sequence[int], subject: Subject
) -> Float[Tensor, "row number"]:
    """Return one row per example of the requests, NaN where something is not known.

    All of them at once: a few large sums instead of many small ones.

    Args:
        events: The requests.
        sizes: Examples of each; 0 for one that shows none.
        subject: Whom is watched.
    """
    times = torch.tensor([e.time for e in events], dtype=torch.float64)
    owner = torch.arange(len(events)).repeat_interleave(torch.tensor(sizes, dtype=torch.long))
    made = torch.full((len(owner), example_width(subject)), torch.nan, dtype=torch.float64)
    made[:, 0] = times[owner]
    is_class = subject.task.is_classification

    def fill(columns: slice, held: list[Floats | None], read: Callable[[Tensor], Tensor]) -> None:
        shown = [a for a, n in zip(held, sizes, strict=True) if n and a is not None]
        if shown:
            has = torch.tensor([a is not None for a in held])[owner]
            made[has, columns] = read(torch.from_numpy(np.concatenate(shown)).double())

    def answers(outputs: Tensor) -> Tensor:
        return torch.stack(answered(outputs, is_classification=is_class), 1)

    fill(slice(ANSWER, SURE + 1), [e.outputs for e in events], answers)
    fill(slice(SCORE, SCORE + 1), [e.scores for e in events], _scores)
    fill(
        slice(FIRST, None),
        [None if e.x is None else e.x.numpy() for e in events],
        features(subject.schema),
    )
    return made


def _scores(told: Tensor) -> Tensor:
    """Return scores as a column; one that is no number raises the alarm, and so counts as infinite."""
    return torch.where(told.isnan(), torch.inf, told)[:, None]


def size_of(event: Event, subject: Subject) -> int:
    """Return how many examples a request shows; 0 if it shows none, or none that fit the subject."""
    wanted = (
        (event.x, subject.schema.shape),
        (event.outputs, (subject.task.n_outputs,)),
        (event.scores, ()),
    )
    held = [(tuple(a.shape), shape) for a, shape in wanted if a is not None]
    fits = all(found and found[1:] == tuple(shape) for found, shape in held)
    sizes = {found[0] for found, _ in held if found}
    return sizes.pop() if event.verb == "infer" and fits and len(sizes) == 1 else 0
