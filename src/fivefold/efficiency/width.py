"""How wide an architecture says it is."""

from dataclasses import fields, is_dataclass, replace
from typing import Any

from fivefold.core.errors import BadInput
from fivefold.core.model import Architecture

NAMES = ("hidden", "width", "widths", "channels")  # what architectures call their widths


def half_as_wide(architecture: Architecture) -> Architecture:
    """Return `architecture` with half of the units or channels in each layer, at least one.

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
    return _replaced(architecture, {name: _halved(width) for name, width in found.items()})


def rewidened(
    architecture: Architecture, before: tuple[int, ...], after: tuple[int, ...]
) -> Architecture:
    """Return `architecture` with the widths `after` where it says `before`, else as it is."""
    same = {name: after for name, width in _widths(architecture).items() if width == before}
    return _replaced(architecture, same)


def _widths(architecture: Architecture) -> dict[str, int | tuple[int, ...]]:
    if not is_dataclass(architecture):
        return {}
    return {f.name: getattr(architecture, f.name) for f in fields(architecture) if f.name in NAMES}


def _halved(width: int | tuple[int, ...]) -> int | tuple[int, ...]:
    if isinstance(width, int):
        return max(1, width // 2)
    return tuple(max(1, w // 2) for w in width)


def _replaced(architecture: Any, changes: dict[str, Any]) -> Architecture:
    return replace(architecture, **changes) if changes else architecture
