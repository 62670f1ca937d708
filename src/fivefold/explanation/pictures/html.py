"""Attributions in a notebook: still pictures inside the page, in English and Chinese, without scripts or anything from outside."""

from html import escape
from io import BytesIO
from typing import TYPE_CHECKING

from fivefold.core.text import LANGUAGES, Language, text
from fivefold.explanation.pictures.bars import draw_all
from fivefold.explanation.pictures.highlight import html_of
from fivefold.explanation.pictures.image import draw_image, draw_map
from fivefold.explanation.pictures.labels import labels
from fivefold.explanation.pictures.letters import number
from fivefold.explanation.pictures.paper import DOWN, UP
from fivefold.explanation.pictures.view import View, largest, of_all, of_row, row_header
from fivefold.explanation.pictures.waterfall import draw_waterfall
from fivefold.explanation.pictures.words import words_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fivefold.explanation.attribution import Attribution

MOST_LINES, MOST_ROWS = 12, 5
CODES = {"en": "en", "zh": "zh-CN"}


def as_html(found: "Attribution", languages: tuple[Language, ...] = LANGUAGES) -> str:
    """Return the first few examples with a picture; the first language open, the others to unfold."""
    first, *others = languages
    folded = "".join(
        f"<details><summary>{_NAMES[one]}</summary>{_page(found, one)}</details>" for one in others
    )
    return f"<div>{_page(found, first)}{folded}</div>"


_NAMES: dict[Language, str] = {"en": "English", "zh": "中文"}


def svg_of(ax: "Axes") -> str:
    """Return the figure of some axes as one SVG element, the same for the same picture."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = ax.get_figure(root=True)
    assert isinstance(figure, Figure)
    file = BytesIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "fivefold"}):
        FigureCanvasSVG(figure).print_svg(file, metadata={"Date": None})
    drawn = file.getvalue().decode()
    return drawn[drawn.index("<svg") :]


def _page(found: "Attribution", language: Language) -> str:
    rows = range(min(MOST_ROWS, len(found.values)))
    views = [of_row(found, row, "", language) for row in rows]
    tables = "".join(_table(view) for view in views)
    pictures = "".join(_picture(found, views, language))
    causes = text("An attribution says what the model used, not what causes what.").words(language)
    return (
        f'<section lang="{CODES[language]}"><p>{escape(_summary(found, language))}</p>'
        f"{pictures}{tables}<p><small>{escape(causes)}</small></p></section>"
    )


def _picture(found: "Attribution", views: list[View], language: Language) -> list[str]:
    if not views:
        return []
    first = views[0]
    if found.schema is not None and found.schema.is_text and found.x is not None:
        return [html_of(words_of(first)), _figure(draw_waterfall(first, MOST_LINES, None))]
    if len(found.groups.shape) == 2:
        return [
            _figure(draw_map(v, None) if found.x is None else draw_image(v, None)) for v in views
        ]
    if len(views) == 1:
        return [_figure(draw_waterfall(first, MOST_LINES, None))]
    return [_figure(draw_all(of_all(found, "", language), MOST_LINES, None))]


def _figure(ax: "Axes") -> str:
    told = escape(ax.get_title().replace("\n", " "), quote=True)
    return f'<figure role="img" aria-label="{told}" style="margin:0">{svg_of(ax)}</figure>'


def _summary(found: "Attribution", language: Language) -> str:
    told = text(
        "{method}: {n} examples, {sure} of them converged, {evaluations} model evaluations.",
        method=found.method,
        n=len(found.values),
        sure=int(found.is_converged.sum()),
        evaluations=found.n_evaluations,
    )
    return " ".join(part for part in (told.words(language), found.reason.words(language)) if part)


def _table(view: View) -> str:
    order = largest(view.values[0], MOST_LINES)
    longest = max(float(view.values.abs().max()), 1e-12)
    names = labels(view, order)
    lines = "".join(_line(view, i, name, longest) for i, name in zip(order, names, strict=True))
    head = row_header(view)
    warning = f"<br><strong>{escape(head.warning)}</strong>" if head.warning else ""
    facts = escape(" · ".join(head.facts))
    caption = f"{escape(head.headline)}<br><small>{facts}</small>{warning}"
    return f"<table><caption>{caption}</caption>{lines}</table>"


def _line(view: View, feature: int, name: str, longest: float) -> str:
    value, half = float(view.values[0, feature]), view.seen
    bound = 0.0 if half is None else float(half[0, feature])
    sure = f" ± {number(bound) if bound < float('inf') else '?'}" if bound else ""
    colour, width = UP if value > 0 else DOWN, round(120 * abs(value) / longest)
    bar = f'<div style="background:{colour};height:.8em;width:{width}px"></div>'
    return (
        f"<tr><td>{escape(name)}</td>"
        f"<td style='text-align:right'>{number(value, signed=True)}{sure}</td><td>{bar}</td></tr>"
    )
