"""What lies inside a fitted estimator: the estimators of which it is made."""

from collections.abc import Iterator
from typing import Any

import numpy as np

DEEPEST = 40


def estimators_in(value: Any) -> Iterator[Any]:
    """Yield every object of scikit-learn inside `value`, itself included, each once."""
    yield from _inside(value, DEEPEST, set())


def flat(values: Any) -> Iterator[Any]:
    """Yield what lies in nested lists and arrays."""
    for value in values:
        if isinstance(value, list | tuple | np.ndarray):
            yield from flat(value)
        else:
            yield value


def _inside(value: Any, depth: int, seen: set[int]) -> Iterator[Any]:
    if id(value) in seen or not depth:
        return
    seen.add(id(value))
    if isinstance(value, dict):
        parts: list[Any] = list(value.values())
    elif isinstance(value, list | tuple | np.ndarray):
        is_plain = isinstance(value, np.ndarray) and value.dtype != object
        parts = [] if is_plain else list(flat(value))
    elif type(value).__module__.startswith("sklearn.") and hasattr(value, "__dict__"):
        yield value
        parts = list(vars(value).values())
    else:
        return
    for part in parts:
        yield from _inside(part, depth - 1, seen)
