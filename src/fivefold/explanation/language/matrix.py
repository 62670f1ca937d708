"""Words of a prompt by tokens of an answer as a heat map; long answers wrap, Chinese at any character."""

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

from jaxtyping import Float
from torch import Tensor

from fivefold.core.text import Language, text
from fivefold.explanation.attribution import Attribution
from fivefold.explanation.pictures.letters import cells, families
from fivefold.explanation.pictures.paper import DIVERGING, DOWN, UP

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 64  # letters of a line; a Chinese character takes two
STRONGEST = 0.65  # share of colour behind the largest value
MOST_WORDS = 40  # of a picture; the others moved less
MOST_TOKENS = 60
LEAST = 4  # columns of letters that a token takes at least
WIDE = 14  # letters of a name that stand in one line


def matrix_html(found: Attribution, language: Language = "en") -> str:
    """Return every word and every token as HTML tables without scripts, as wide as a line of text each."""
    values = found.values[0]
    longest = max(float(values.abs().max()), 1e-12)
    tables = "".join(_table(found, values / longest, part) for part in _blocks(found.outputs))
    unit = escape(found.unit.words(language))
    return f'<div class="matrix"><p>{unit}</p>{tables}</div>'


def draw_matrix(
    found: Attribution, ax: "Axes | None" = None, *, language: Language = "en"
) -> "Axes":
    """Draw the words that moved most against the first tokens, and return the axes; nothing is shown or saved."""
    from matplotlib.figure import Figure

    strength = found.values[0].abs().amax(1)
    rows = sorted(strength.sort(descending=True, stable=True).indices[:MOST_WORDS].tolist())
    names = [_short(found.names[row]) for row in rows]
    values = found.values[0][rows, :MOST_TOKENS]
    outputs = [_short(name) for name in found.outputs[:MOST_TOKENS]]
    if ax is None:
        size = (2.6 + 0.42 * len(outputs), 1.6 + 0.3 * len(rows))
        ax = Figure(figsize=size, layout="constrained").subplots()
    limit = max(float(values.abs().max()), 1e-12)
    picture = ax.imshow(values.numpy(), cmap=DIVERGING, vmin=-limit, vmax=limit, aspect="auto")
    is_narrow = all(cells(name) <= LEAST for name in outputs)
    ax.set_xticks(range(len(outputs)), outputs, family=families(), rotation=0 if is_narrow else 90)
    ax.set_yticks(range(len(rows)), names, family=families())
    ax.xaxis.tick_top()
    bar = ax.figure.colorbar(picture, ax=ax)
    bar.set_label(found.unit.words(language), family=families())
    _tell_what_is_cut(found, len(rows), len(outputs), ax, language)
    return ax


def _tell_what_is_cut(
    found: Attribution, n_words: int, n_tokens: int, ax: "Axes", language: Language
) -> None:
    if n_words < found.groups.n or n_tokens < len(found.outputs):
        told = text(
            "the {words} of {all_words} words that moved most, the first {tokens} of {all_tokens} tokens",
            words=n_words,
            all_words=found.groups.n,
            tokens=n_tokens,
            all_tokens=len(found.outputs),
        )
        ax.set_xlabel(told.words(language), family=families())


def _blocks(outputs: tuple[str, ...]) -> Iterator[range]:
    """Yield tokens that fit beside one another into a line."""
    begin = width = 0
    for i, name in enumerate(outputs):
        own = max(LEAST, cells(name))
        if i > begin and width + own > COLUMNS:
            yield range(begin, i)
            begin, width = i, 0
        width += own
    yield range(begin, len(outputs))


def _table(found: Attribution, share: Float[Tensor, "words tokens"], part: range) -> str:
    head = "".join(f"<th>{escape(found.outputs[i])}</th>" for i in part)
    lines = "".join(
        f"<tr><th>{escape(word)}</th>{''.join(_cell(found, share, row, i) for i in part)}</tr>"
        for row, word in enumerate(found.names)
    )
    return f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{lines}</tbody></table>"


def _cell(found: Attribution, share: Tensor, row: int, column: int) -> str:
    value, part = float(found.values[0, row, column]), float(share[row, column])
    shade = f"{UP if part > 0 else DOWN}{round(255 * STRONGEST * abs(part)):02x}"
    told = escape(f"{found.names[row]} → {found.outputs[column]}: {value:+.3g}", quote=True)
    return f'<td style="background:{shade}" title="{told}">{value:+.2f}</td>'


def _short(name: str) -> str:
    return name if len(name) <= WIDE else f"{name[: WIDE - 1]}…"
