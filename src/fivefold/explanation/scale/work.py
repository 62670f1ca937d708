"""One block of rows, explained; and its result and its errors as they travel between processes."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from fivefold.core import errors
from fivefold.core.data import Inputs
from fivefold.core.errors import FivefoldError
from fivefold.core.model import Model
from fivefold.core.text import Text
from fivefold.explanation.attribution import Attribution
from fivefold.explanation.explain import explain
from fivefold.explanation.explainer import Explainer
from fivefold.explanation.methods import Method
from fivefold.perturb import Features


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is the same for every block.

    Attributes:
        model: What is explained.
        background: Rows that stand for "not known".
        method: What was asked for.
        explainer: Who explains; None where each block, a text, is asked about as its words want it.
        reason: Why this one.
        features: What counts as one feature.
        seed: Where each block's randomness begins, so that blocks do not depend on one another.
    """

    model: Model
    background: Inputs
    method: Method | Explainer
    explainer: Explainer | None
    reason: Text
    features: Features
    seed: int


class Failed(NamedTuple):
    """An error on purpose, in parts: exceptions lose theirs on the way between processes."""

    kind: str
    what: Text
    where: str
    mend: Text


def done(job: Job, x: Tensor) -> Attribution:
    """Return the attributions of a block."""
    rng = Generator().manual_seed(job.seed)
    if job.explainer is None:
        return explain(job.model, x, job.background, job.method, rng=rng, features=job.features)
    found = job.explainer(job.model, x, job.background, rng=rng)
    return replace(found, reason=job.reason).with_inputs(job.model, x)


def done_elsewhere(job: Job, x: np.ndarray[Any, Any]) -> Mapping[str, Any] | Failed:
    """Return the attributions of a block, or the error, as they travel; one thread, as there are many workers."""
    torch.set_num_threads(1)
    try:
        return _packed(done(job, torch.from_numpy(x.copy())))
    except FivefoldError as error:
        return Failed(type(error).__name__, error.what, error.where, error.mend)


def arrived(found: Mapping[str, Any] | Failed) -> Attribution:
    """Return what came from another process.

    Raises:
        FivefoldError: The one that was raised there.
    """
    if isinstance(found, Failed):
        kind: type[FivefoldError] = getattr(errors, found.kind, FivefoldError)
        facts = dict(found.what.facts)
        raise kind(found.what.template, where=found.where, mend=found.mend.template, **facts)
    return Attribution(**{name: _as_tensors(value) for name, value in found.items()})


def _packed(found: Attribution) -> dict[str, Any]:
    return {f.name: _as_arrays(getattr(found, f.name)) for f in fields(found)}


def _as_arrays(value: Any) -> Any:
    """Return tensors as arrays, which travel by value and hold no file open."""
    if isinstance(value, Tensor):
        return value.detach().cpu().numpy()
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_as_arrays(part) for part in value))
    return value


def _as_tensors(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy())
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_as_tensors(part) for part in value))
    return value
