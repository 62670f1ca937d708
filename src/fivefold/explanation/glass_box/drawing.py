"""Pictures of trees and curves."""

from typing import TYPE_CHECKING

from torch import Tensor

from fivefold.core.text import Language, text
from fivefold.explanation.glass_box.condition import Where, told

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fivefold.explanation.glass_box.grown import Grown, Split


def draw_curve(ax: "Axes", knots: Tensor | None, names: list[str], heights: list[float]) -> None:
    """Draw a line over numbers, or dots over categories; gaps are a dashed line."""
    from fivefold.explanation.pictures.letters import families
    from fivefold.explanation.pictures.paper import DOWN, GREY, UP

    n = len(names) - 1
    ax.axhline(0, color=GREY, linewidth=0.8)
    if knots is None:
        ax.vlines(range(len(heights)), 0, heights, color=DOWN)
        ax.plot(range(len(heights)), heights, "o", color=DOWN)
        turned = 30 if len(heights) > 4 else 0
        ax.set_xticks(range(len(heights)), names[: len(heights)], family=families())
        ax.tick_params(axis="x", labelrotation=turned)
        return
    ax.plot(knots.tolist(), heights[:n], color=DOWN, marker="." if n < 2 else "")
    ax.plot(knots.tolist(), [0.0] * n, "|", color=GREY)
    if len(heights) > n:
        ax.axhline(heights[n], color=UP, linestyle="--", label=names[n])
        ax.legend(prop={"family": list(families())}, frameon=False)


def name_axes(ax: "Axes", x: str, y: str) -> None:
    """Name the axes, in letters that exist."""
    from fivefold.explanation.pictures.letters import families, folded

    ax.set_xlabel(folded(x, 48), family=families())
    ax.set_ylabel(y, family=families())


def draw_title(ax: "Axes", told: str, columns: int) -> None:
    """Say above a picture what it shows and how far it can be trusted."""
    from fivefold.explanation.pictures.letters import families, folded
    from fivefold.explanation.pictures.paper import SIZE

    ax.set_title(folded(told, columns), family=families(), size=SIZE, loc="left")


def draw_tree(tree: "Grown", ax: "Axes", output: int, language: Language) -> None:
    """Draw questions as boxes: yes goes to the left, no to the right; leaves are as red or blue as they answer."""
    places = _places(tree)
    ax.set_axis_off()
    ax.set_xlim(-0.6, max(x for x, _ in places.values()) + 0.6)
    ax.set_ylim(min(y for _, y in places.values()) - 0.5, 0.5)
    largest = max(float(tree.values[:, output].abs().max()), 1e-12)
    for node, (x, y) in places.items():
        split = tree.splits[node]
        if split is None:
            _leaf(ax, x, y, float(tree.values[node, output]), int(tree.n_rows[node]), largest)
            continue
        for child, answer in ((split.left, text("yes")), (split.right, text("no"))):
            _edge(ax, (x, y), places[child], answer.words(language))
        _box(ax, x, y, _question(tree, split, language), "white")


def _places(tree: "Grown") -> dict[int, tuple[float, float]]:
    """Return where each node is drawn: leaves side by side, every parent between its children."""
    places: dict[int, tuple[float, float]] = {}
    n_leaves = 0

    def put(node: int, depth: int) -> float:
        nonlocal n_leaves
        split = tree.splits[node]
        if split is None:
            x, n_leaves = float(n_leaves), n_leaves + 1
        else:
            x = (put(split.left, depth + 1) + put(split.right, depth + 1)) / 2
        places[node] = (x, -float(depth))
        return x

    put(0, 0)
    return places


def _edge(ax: "Axes", above: tuple[float, float], below: tuple[float, float], answer: str) -> None:
    from fivefold.explanation.pictures.letters import families
    from fivefold.explanation.pictures.paper import QUIET, SMALL

    (x, y), (to, down) = above, below
    ax.plot([x, to], [y, down], color="0.6", zorder=0)
    ax.text((x + to) / 2, (y + down) / 2, answer, ha="center", va="center", size=SMALL,
            color=QUIET, family=families(), bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})  # fmt: skip


def _question(tree: "Grown", split: "Split", language: Language) -> str:
    """Return what is asked so that the answer yes leads to the left."""
    where = Where()
    if split.category >= 0:
        return told(tree.schema.columns[split.column], where.without(split.category), language)
    left = where.below(split.threshold, split.gaps_left)
    return told(tree.schema.columns[split.column], left, language)


def _leaf(ax: "Axes", x: float, y: float, value: float, count: int, largest: float) -> None:
    from matplotlib import colormaps

    from fivefold.explanation.pictures.letters import number
    from fivefold.explanation.pictures.paper import DIVERGING

    shade = colormaps[DIVERGING](0.5 + 0.3 * value / largest)
    _box(ax, x, y, f"{number(value, signed=True)}\nn = {count}", shade)


def _box(ax: "Axes", x: float, y: float, told: str, colour: object) -> None:
    from fivefold.explanation.pictures.letters import families, folded
    from fivefold.explanation.pictures.paper import SMALL

    box = {"facecolor": colour, "edgecolor": "0.5", "boxstyle": "round,pad=0.3"}
    lines = "\n".join(folded(line, 16) for line in told.split("\n"))
    ax.text(x, y, lines, ha="center", va="center", size=SMALL, bbox=box, family=families())
