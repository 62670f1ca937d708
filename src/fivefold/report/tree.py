"""The stages of a run as a tree, drawn as SVG."""

from html import escape
from typing import NamedTuple

from fivefold.recipe import Run, Stage

COLUMN, ROW, WIDTH, HEIGHT, MARGIN = 216, 70, 168, 50, 6


class Place(NamedTuple):
    """Where a stage stands: steps from the start, and the line it is on."""

    depth: int
    line: int


def places(run: Run) -> dict[str, Place]:
    """Return a place for every stage: the eldest child continues its parent's line, others open new ones."""
    found: dict[str, Place] = {}
    lines = 0

    def put(stage: Stage, depth: int, line: int) -> None:
        nonlocal lines
        found[stage.name] = Place(depth, line)
        for i, child in enumerate(s for s in run.stages if s.parent == stage.name):
            lines += i > 0
            put(child, depth + 1, lines if i else line)

    for stage in run.stages[:1]:
        put(stage, 0, 0)
    return found


def tree(run: Run, chosen: str) -> str:
    """Return the tree as an inline SVG whose colours come from the page; every name is escaped."""
    at = places(run)
    width = COLUMN * max(p.depth for p in at.values()) + WIDTH + 2 * MARGIN
    height = ROW * max(p.line for p in at.values()) + HEIGHT + 2 * MARGIN
    links = "".join(_link(at[s.parent], at[s.name]) for s in run.stages if s.parent in at)
    boxes = "".join(
        _box(s, at[s.name], is_chosen=s.name == chosen) for s in run.stages if s.name in at
    )
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return (
        f'<svg class="tree" {size} role="img" aria-label="{escape(run.name)}">{links}{boxes}</svg>'
    )


def _corner(place: Place) -> tuple[int, int]:
    return MARGIN + place.depth * COLUMN, MARGIN + place.line * ROW


def _link(parent: Place, child: Place) -> str:
    (x0, y0), (x1, y1) = _corner(parent), _corner(child)
    x0, y0, y1 = x0 + WIDTH, y0 + HEIGHT // 2, y1 + HEIGHT // 2
    middle = (x0 + x1) // 2
    return f'<path d="M{x0} {y0}C{middle} {y0} {middle} {y1} {x1} {y1}"/>'


def _box(stage: Stage, place: Place, *, is_chosen: bool) -> str:
    x, y = _corner(place)
    kind = ' class="chosen"' if is_chosen else ""
    step = str(stage.step.get("use", "")).rpartition(".")[2]
    name, under = escape(_short(stage.name, 20)), escape(_short(step, 24))
    lower = f'<text x="{x + 14}" y="{y + 38}" class="step">{under}</text>' if step else ""
    lift = 21 if step else 30
    return (
        f'<g{kind}><rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="10"/>'
        f'<text x="{x + 14}" y="{y + lift}">{name}</text>{lower}</g>'
    )


def _short(told: str, most: int) -> str:
    return told if len(told) <= most else told[: most - 1] + "…"
