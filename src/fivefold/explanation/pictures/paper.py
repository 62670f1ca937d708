"""What all pictures share: axes without any global state, colours, and the header that says what a number is worth."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from fivefold.explanation.pictures.letters import cells, families, folded, in_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

UP, DOWN = "#b2182b", "#2166ac"  # told apart by colour-blind readers, and by the side they lie on
INK, QUIET, GREY = "#1b2330", "#566073", "#9aa1ad"
ALARM, ALARM_GROUND = "#7a3b00", "#ffe8c2"
DIVERGING, RISING = "RdBu_r", "viridis"  # both keep their order for colour-blind readers
UNSURE = "////"  # hatching of what has not converged
SIZE, SMALL, LARGE = 9.0, 8.0, 11.0
NAME = 30  # columns of a name before it folds
WIDTH, MARGIN, LINE = 7.5, 1.5, 0.36  # inches: of a picture, of its header and foot, of one bar
CROWDED = 0.75  # of the width that axes would have alone
LETTER = 0.6 / 72  # inches of an average letter, for each point of its size


class Header(NamedTuple):
    """What stands above a picture: what it shows, what it rests on, and why to doubt it."""

    headline: str
    facts: tuple[str, ...]
    warning: str


def axes(ax: "Axes | None", height: float, width: float = WIDTH) -> "Axes":
    """Return the axes given, or those of a new figure, which no pyplot knows of."""
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained").subplots()


def finish(ax: "Axes", header: Header, *, label_columns: int = 0) -> "Axes":
    """Write the header, take away lines that say nothing, and return the axes.

    Args:
        ax: The axes.
        header: What to say.
        label_columns: Columns that names to the left of the axes take.
    """
    ax.tick_params(labelfontfamily=families(), labelsize=SIZE)
    for label in (ax.xaxis.label, ax.yaxis.label):
        label.set(family=families(), size=SIZE, color=QUIET)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.set_axisbelow(True)
    _put_header(ax, header, inches(ax) - label_columns * SIZE * LETTER)
    return ax


def inches(ax: "Axes") -> float:
    """Return about how wide the axes are, before anything beside them takes room.

    Among other axes they get less, because the names of those need room too.
    """
    figure = ax.get_figure(root=True)
    if figure is None:
        return WIDTH
    others = [a for a in figure.axes if a is not ax and a.get_label() != "<colorbar>"]
    wide = float(figure.get_size_inches()[0] * ax.get_position().width / 0.775)
    return wide * (CROWDED if others else 1.0)


def _put_header(ax: "Axes", header: Header, wide: float) -> None:
    up, columns = 6.0, max(24, int(wide / (SMALL * LETTER)))
    for lines, size, colour, ground in (
        (
            folded(header.warning, max(24, int(wide / (SIZE * LETTER * 1.1)))),
            SIZE,
            ALARM,
            ALARM_GROUND,
        ),
        (in_lines(header.facts, columns), SMALL, QUIET, ""),
    ):
        if not lines:
            continue
        ax.annotate(
            lines, (0, 1), (0, up), "axes fraction", "offset points",
            ha="left", va="bottom", size=size, color=colour, family=families(), annotation_clip=False,
            weight="bold" if ground else "normal",
            bbox={"facecolor": ground, "edgecolor": ALARM, "boxstyle": "round,pad=0.3", "linewidth": 0.8} if ground else None,
        )  # fmt: skip
        up += (lines.count("\n") + 1) * size * 1.35 + (9 if ground else 3)
    title = folded(header.headline, max(20, int(wide / (LARGE * LETTER))))
    ax.set_title(title, pad=up + 2, x=0, ha="left", size=LARGE, color=INK, family=families())


def name_bars(ax: "Axes", names: Sequence[str]) -> int:
    """Name the bars at 0, 1, ... from the bottom, and return how many columns the names take."""
    lines = [folded(name, NAME) for name in names]
    ax.set_yticks(range(len(lines)), lines)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(-0.6, len(lines) - 0.4)
    return max((cells(part) for line in lines for part in line.split("\n")), default=0)


def height_of(names: Sequence[str]) -> float:
    """Return the inches that a picture with these bars is high: names of several lines need room."""
    lines = max((folded(name, NAME).count("\n") + 1 for name in names), default=1)
    return MARGIN + max(LINE, SIZE / 72 * (1.35 * lines)) * max(2, len(names))


def note(ax: "Axes", x: float, y: float, told: str, **how: object) -> None:
    """Write something inside the picture, in letters that exist."""
    given: dict[str, object] = {"family": families(), "size": SMALL, "color": INK, "va": "center"}
    ax.text(x, y, told, **(given | how))  # type: ignore[arg-type]


def rising() -> "Colormap":
    """Return the colours of a feature's value, grey where it has none; the palest are left out."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    shades = colormaps[RISING].resampled(256)(range(236))
    return ListedColormap(shades).with_extremes(bad=GREY)
