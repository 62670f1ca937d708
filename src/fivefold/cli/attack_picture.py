"""Before and after an attack: images side by side, or the columns that moved and how far."""

from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from fivefold.core.data import Batch, as_tensor
from fivefold.core.model import Model
from fivefold.core.text import Language, text
from fivefold.recipe.audit.rows import told

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_IMAGES, MOST_ROWS, MOST_BARS = 5, 3, 8
UP, DOWN = "#b2182b", "#2166ac"


class Outcome(Protocol):
    """What an attack did."""

    @property
    def before(self) -> Batch:
        """The rows as they were."""
        ...

    @property
    def possible(self) -> Tensor:
        """The rows as they are now."""
        ...

    @property
    def is_possible(self) -> Tensor:
        """Where the model is fooled."""
        ...

    @property
    def answers(self) -> tuple[Tensor, Tensor]:
        """Predicted classes, before and after."""
        ...


def figure(done: Outcome, model: Model, language: Language) -> "Figure":
    """Return the picture of the first rows that fool the model."""
    rows = done.is_possible.nonzero()[:, 0].tolist()
    return (
        _bars(done, model, rows[:MOST_ROWS], language)
        if model.schema.is_table
        else _images(done, model, rows[:MOST_IMAGES], language)
    )


def _images(done: Outcome, model: Model, rows: list[int], language: Language) -> "Figure":
    from matplotlib.figure import Figure

    made = Figure(figsize=(7, 2.3 * len(rows)), layout="constrained", dpi=130)
    grid = made.subplots(len(rows), 3, squeeze=False)
    for axes, row in zip(grid, rows, strict=True):
        before, after = as_tensor(done.before.x)[row], done.possible[row]
        change = (after - before).mean(0)
        limit = max(float(change.abs().max()), 1e-6)
        names = [model.task.classes[int(a[row])] for a in done.answers]
        _show(axes[0], before, text("before: {name}", name=names[0]).words(language))
        axes[1].imshow(change.numpy(), cmap="RdBu_r", vmin=-limit, vmax=limit)
        _bare(axes[1], text("change, at most {most}", most=f"{limit:.2g}").words(language))
        _show(axes[2], after, text("after: {name}", name=names[1]).words(language))
    return made


def _show(axes: "Axes", image: Tensor, title: str) -> None:
    shown = image[0] if image.shape[0] == 1 else image.movedim(0, 2)
    axes.imshow(shown.numpy(), cmap="gray", vmin=0, vmax=1)
    _bare(axes, title)


def _bare(axes: "Axes", title: str) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title, fontsize="medium")


def _bars(done: Outcome, model: Model, rows: list[int], language: Language) -> "Figure":
    from matplotlib.figure import Figure

    moves = [_moves(done, model, row) for row in rows]
    heights = [0.9 + 0.34 * len(m) for m in moves]
    made = Figure(figsize=(7.5, sum(heights)), layout="constrained", dpi=130)
    grid = made.subplots(len(rows), 1, squeeze=False, height_ratios=heights)
    for (axes,), row, moved in zip(grid, rows, moves, strict=True):
        names = [model.task.classes[int(a[row])] for a in done.answers]
        places, widths = range(len(moved)), [m for _, m in moved]
        axes.barh(places, widths, color=[UP if w > 0 else DOWN for w in widths], height=0.6)
        axes.set_yticks(places, [name for name, _ in moved])
        axes.invert_yaxis()
        axes.axvline(0, color="0.3", linewidth=0.8)
        longest = 1.05 * max(map(abs, widths), default=1.0)
        axes.set_xlim(-longest, longest)
        axes.set_title(f"{names[0]} → {names[1]}", fontsize="medium")
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.tick_params(axis="y", length=0)
    grid[-1][0].set_xlabel(text("change, in units of the schema").words(language))
    return made


def _moves(done: Outcome, model: Model, row: int) -> list[tuple[str, float]]:
    """Return the columns that moved, with their values before and after, and by how many units."""
    before, after = as_tensor(done.before.x)[row], done.possible[row]
    units = ((after - before) / model.schema.space().unit).nan_to_num(0.0)
    order = units.abs().argsort(descending=True)[:MOST_BARS]
    columns = model.schema.columns
    moved: list[tuple[str, float]] = []
    for i in order[torch.nonzero(units[order])[:, 0]].tolist():
        label = f"{columns[i].name}: {told(columns[i], float(before[i]))} → {told(columns[i], float(after[i]))}"
        moved.append((label, float(units[i])))
    return moved
