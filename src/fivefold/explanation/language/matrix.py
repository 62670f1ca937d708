"""Words of a prompt by tokens of an answer as a heat map; long answers wrap, Chinese at any character."""

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.core.text import Language, text
from fivefold.explanation.attribution import Attribution
from fivefold.explanation.pictures.grid import colour_bar, symmetric
from fivefold.explanation.pictures.letters import cells, number
from fivefold.explanation.pictures.paper import DIVERGING, DOWN, UP, Header, axes, finish
from fivefold.explanation.pictures.view import View, largest, row_header, sureness

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
    head = _header(_least_sure(found, language), found.groups.n, len(found.outputs))
    told = " · ".join(head.facts)
    warning = f"<p><strong>{escape(head.warning)}</strong></p>" if head.warning else ""
    about = f"<p>{escape(head.headline)}<br><small>{escape(told)}</small></p>"
    return f'<div class="matrix">{about}{warning}{tables}</div>'


def draw_matrix(
    found: Attribution, ax: "Axes | None" = None, *, language: Language = "en"
) -> "Axes":
    """Draw the words that moved most against the first tokens, and return the axes; nothing is shown or saved."""
    view = _least_sure(found, language)
    rows = sorted(largest(found.values[0].abs().amax(1), MOST_WORDS))
    outputs = [_short(name) for name in found.outputs[:MOST_TOKENS]]
    names = [_short(found.names[row]) for row in rows]
    ax = axes(ax, 2.2 + 0.3 * len(rows), max(5.0, 2.6 + 0.36 * len(outputs)))
    values = found.values[0][rows, : len(outputs)]
    picture = ax.imshow(
        values.numpy(), cmap=DIVERGING, aspect="auto", interpolation="nearest", norm=symmetric(values)
    )  # fmt: skip
    is_narrow = all(cells(name) <= LEAST for name in outputs)
    ax.set_xticks(range(len(outputs)), outputs, rotation=0 if is_narrow else 90)
    ax.set_yticks(range(len(rows)), names)
    colour_bar(ax, picture, view)
    return finish(ax, _header(view, len(rows), len(outputs)), label_columns=8)


def _least_sure(found: Attribution, language: Language) -> View:
    """Return the output whose values are the least sure, so that the header speaks for all of them."""
    half = found.half_width
    output = 0 if half is None else int(half[0].nan_to_num(nan=torch.inf).amax(0).argmax())
    return View(found, (0,), output, language)


def _header(view: View, n_words: int, n_tokens: int) -> Header:
    found = view.found
    from_to = text(
        "from {base} to {score}",
        base=number(float(found.base[0].sum())),
        score=number(float(found.score[0].sum())),
    )
    facts = [
        view.unit,
        view.say(text("{n} model evaluations", n=f"{found.n_evaluations:,}")),
        found.method,
        view.say(sureness(view)),
    ]
    if n_words < found.groups.n or n_tokens < len(found.outputs):
        told = text(
            "the {words} of {all_words} words that moved most, the first {tokens} of {all_tokens} tokens",
            words=n_words,
            all_words=found.groups.n,
            tokens=n_tokens,
            all_tokens=len(found.outputs),
        )
        facts.append(view.say(told))
    said = text("whole answer {said}", said=view.say(from_to))
    return Header(view.say(said), tuple(facts), row_header(view).warning)


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
