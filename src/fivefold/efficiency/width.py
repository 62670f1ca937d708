"""How wide an architecture says it is."""

from dataclasses import fields, is_dataclass, replace
from typing import Any

from fivefold.core.errors import BadInput
from fivefold.core.model import Architecture

NAMES = ("hidden", "width", "widths", "channels")  # what architectures call their widths


def remaining(n: int, share: float) -> int:
    """Return how many of `n` are left when `share` of them goes, rounded up; at least one."""
    return n - min(int(share * n), n - 1)


def narrower(architecture: Architecture, share: float) -> Architecture:
    """Return `architecture` without `share` of the units or channels in each layer.

    Raises:
        BadInput: It has no field that says how wide it is.
    """
    found = _widths(architecture)
    if not found:
        raise BadInput(
            "Nobody knows what a smaller {architecture} is.",
            mend='Name the student: student = {{ use = "models.MLP", hidden = [32, 32] }}.',
            architecture=type(architecture).__name__,
        )
    return _replaced(architecture, {name: _less(w, share) for name, w in found.items()})


def _widths(architecture: Architecture) -> dict[str, int | tuple[int, ...]]:
    if not is_dataclass(architecture):
        return {}
    return {f.name: getattr(architecture, f.name) for f in fields(architecture) if f.name in NAMES}


def _less(width: int | tuple[int, ...], share: float) -> int | tuple[int, ...]:
    if isinstance(width, int):
        return remaining(width, share)
    return tuple(remaining(w, share) for w in width)


def _replaced(architecture: Any, changes: dict[str, Any]) -> Architecture:
    return replace(architecture, **changes)
