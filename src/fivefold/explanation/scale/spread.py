"""Whole data sets, explained block by block by many workers, with the numbers of one."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from torch import Generator, Tensor

from fivefold.core.data import Inputs
from fivefold.core.errors import BadInput
from fivefold.core.limits import Count, Natural
from fivefold.core.model import Model
from fivefold.core.progress import track
from fivefold.core.randomness import fresh_seed
from fivefold.explanation.attribution import Attribution
from fivefold.explanation.choice import choose
from fivefold.explanation.explainer import Explainer
from fivefold.explanation.methods import Method
from fivefold.explanation.scale.blocks import Rows, blocks_of, count_of
from fivefold.explanation.scale.cluster import in_cluster
from fivefold.explanation.scale.processes import in_processes
from fivefold.explanation.scale.work import Job, done
from fivefold.perturb import Features


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How much at once, and by whom.

    Attributes:
        size: Rows in a block; a text is always a block of its own.
        workers: Processes that explain; 0 is this one alone. With Ray 0 takes all there are.
        backend: Processes of this machine, or Ray.
    """

    size: Count = 256
    workers: Natural = 0
    backend: Literal["processes", "ray"] = "processes"


def explain_all(
    model: Model,
    rows: Rows,
    background: Inputs,
    method: Method | Explainer = "auto",
    *,
    rng: Generator,
    features: Features = Features(),
    scale: Scale = Scale(),
) -> Iterator[Attribution]:
    """Yield the attributions of all rows, a block at a time and in order.

    Every block starts from the same random numbers, and rows are cut into blocks however they come. So
    neither the workers nor how the rows arrive change the numbers (but for rounding: a worker has one
    thread). The size of the blocks does only where an explainer draws for each row (smooth-gradients,
    tabular-lime around rows) or learns from all rows of a call (odd-kernel).

    Args:
        model: Any model that `explain` takes.
        rows: A tensor, a batch, an iterator of those, or the path of a CSV or Parquet file.
        background: Ordinary rows that stand for "not known".
        method: As in `explain`. What "auto" takes is chosen once, for the first block; of texts each time.
        rng: Source of one seed.
        features: What counts as one feature; an explainer brings its own.
        scale: Size of the blocks, and who explains them.

    Raises:
        BadInput: There are no rows, or rows that the model does not eat.
        MissingExtra: Ray is asked for and not installed.
    """
    size = 1 if model.schema.is_text else scale.size
    blocks = blocks_of(rows, model.schema, size)
    first = next(blocks, None)
    if first is None:
        raise BadInput("There are no rows to explain.", where="rows", mend="Give at least one row.")
    choice = choose(model, first, background, method, features)
    job = Job(
        model=model,
        background=background,
        method=method,
        explainer=None if model.schema.is_text else choice.explainer,
        reason=choice.reason,
        features=features,
        seed=fresh_seed(rng),
    )
    count = count_of(rows)
    total = None if count is None else -(-count // size)
    return track(_explained(job, chain([first], blocks), scale), "explain", total)


def _explained(job: Job, blocks: Iterator[Tensor], scale: Scale) -> Iterator[Attribution]:
    if scale.backend == "ray":
        return in_cluster(job, blocks, scale.workers)
    if scale.workers:
        return in_processes(job, blocks, scale.workers)
    return (done(job, block) for block in blocks)
