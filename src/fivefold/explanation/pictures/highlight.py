"""A text with its words marked by what they moved: red for the answer, blue against it, after heat maps of words."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from jaxtyping import Float, Int
from torch import Tensor

from fivefold.explanation.pictures.letters import cells, families
from fivefold.explanation.pictures.paper import DOWN, UP, inches
from fivefold.perturb import Groups

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 64  # letters of a line; a Chinese character takes two
MOST_LINES = 40
MOST_POINTS = 14.0
STRONGEST = 0.65  # share of colour behind the word that moved most


class Marked(NamedTuple):
    """A word with the spaces behind it, its attribution, and that as a share of the largest, -1 to 1."""

    word: str
    value: float
    share: float


class Placed(NamedTuple):
    """A word, or a character, in its line and column."""

    marked: Marked
    line: int
    column: int


def marked(
    points: Int[Tensor, " character"], groups: Groups, values: Float[Tensor, " features"]
) -> list[Marked]:
    """Return the words of a text with what they moved."""
    largest = max(float(values.abs().max()), 1e-12)
    words = [""] * groups.n
    for point, feature in zip(points.tolist(), groups.member.tolist(), strict=True):
        words[feature] += chr(int(point)) if point else ""
    numbers = values.tolist()
    return [Marked(w, v, v / largest) for w, v in zip(words, numbers, strict=True)]


def html_of(words: Sequence[Marked]) -> str:
    """Return the text as HTML without scripts."""
    return f'<p class="words">{"".join(map(_span, words))}</p>'


def draw_words(words: Sequence[Marked], ax: "Axes") -> "Axes":
    """Draw the text and return the axes; Latin words wrap as a whole, Chinese between characters."""
    size = min(MOST_POINTS, inches(ax) / COLUMNS * 72 / 0.62)  # so that a letter fills its column
    letters = ["DejaVu Sans Mono", *families()]  # the later ones have what the first lacks
    placed = list(placed_in_lines(words))
    cut = [p for p in placed if p.line < MOST_LINES]
    n = max((p.line for p in cut), default=0) + 1
    ax.set_xlim(0, COLUMNS)
    ax.set_ylim(n, 0)
    ax.set_axis_off()
    for (word, _, share), line, column in cut:
        told = word.rstrip()
        box = {"x": column, "width": cells(told), "y": line + 0.5}
        colour = UP if share > 0 else DOWN
        ax.barh(height=0.86, left=box["x"], width=box["width"], y=box["y"], color=colour, alpha=STRONGEST * abs(share))  # fmt: skip
        middle = column + cells(told) / 2
        ax.text(middle, line + 0.5, told, ha="center", va="center", family=letters, size=size)
    if len(cut) < len(placed):
        ax.text(COLUMNS, n, "…", ha="right", va="bottom")
    return ax


def placed_in_lines(words: Sequence[Marked], columns: int = COLUMNS) -> Iterator[Placed]:
    """Yield where each word stands; one that is longer than a line is cut into several."""
    line = column = 0
    for one in words:
        for part in _parts(one, columns):
            width = cells(part.word.rstrip())
            if column and column + width > columns:
                line, column = line + 1, 0
            yield Placed(part, line, column)
            column += cells(part.word.replace("\n", " "))


def lines_of(words: Sequence[Marked]) -> int:
    """Return how many lines a picture of the text has."""
    return min(MOST_LINES, 1 + max((p.line for p in placed_in_lines(words)), default=0))


def _parts(one: Marked, columns: int) -> Iterator[Marked]:
    """Yield a word as it is, or letter by letter if it does not fit into a line or wraps anywhere."""
    if cells(one.word.rstrip()) <= columns:
        yield one
        return
    for letter in one.word:
        yield one._replace(word=letter)


def _span(one: Marked) -> str:
    colour = UP if one.share > 0 else DOWN
    shade = f"{colour}{round(255 * STRONGEST * abs(one.share)):02x}"
    bare = one.word.rstrip()
    told = f'<span style="background:{shade}" title="{one.value:+.3g}">{escape(bare)}</span>'
    return told + escape(one.word[len(bare) :])
