"""One explanation as a picture: bars with whiskers for a table, the image beside its heat map, or what was asked for."""

import json
import warnings
from collections.abc import Callable
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

from fivefold.cli.voice import Voice
from fivefold.core.atomic import write_atomic
from fivefold.core.model import Model
from fivefold.core.text import Language, text
from fivefold.explanation import Attribution
from fivefold.explanation.pictures.highlight import draw_words, html_of, lines_of, marked
from fivefold.explanation.pictures.letters import families
from fivefold.explanation.pictures.plot import MOST_BARS
from fivefold.report.words import words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW, HEADER = 0.42, 1.5  # inches of one bar, and of what stands above and below the bars
LINE = 0.27  # inches of one line of a text
DPI = 150
PAGE = """<!DOCTYPE html><html lang="{language}"><meta charset="utf-8"><title>{title}</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:760px;margin:2rem auto;padding:0 1rem;color:#1b2330}}svg{{max-width:100%;height:auto}}p{{color:#4a5568}}.words{{color:inherit;white-space:pre-wrap;line-height:1.9}}</style>
<h1>{title}</h1>{above}{picture}<p>{below}</p></html>
"""


class Explained(Protocol):
    """What was explained."""

    @property
    def model(self) -> Model:
        """Whose answer it is."""
        ...

    @property
    def x(self) -> Tensor:
        """The example, as a batch of one."""
        ...


def write_picture(
    found: Attribution,
    question: Explained,
    output: int,
    told: dict[str, Any],
    target: tuple[Path, str],
    voice: Voice,
) -> None:
    """Write the explanation to a file, as PNG, SVG, HTML or JSON as its ending says; `target` is it and the kind of picture."""
    out, plot = target
    ending = out.suffix.lower()
    if ending == ".json":
        write_atomic(out, json.dumps(told, ensure_ascii=False, indent=1) + "\n")
        return
    kind = "png" if ending == ".png" else "svg"
    drawn = saved(lambda: figure(found, question, output, plot, voice.language), kind)
    write_atomic(
        out, drawn if ending != ".html" else _page(found, question, output, drawn.decode(), voice)
    )


def figure(
    found: Attribution, question: Explained, output: int, kind: str, language: Language
) -> "Figure":
    """Return the picture: of the kind asked for; else an image beside its map, a text above its bars, or bars."""
    from matplotlib.figure import Figure

    name = found.outputs[output]
    if not kind and question.model.schema.is_text:
        return _text(found, question.x[0], output, language)
    kind = kind or ("image" if len(found.groups.shape) == 2 else "bar")
    draw: Callable[..., Axes] = getattr(found.plot, kind)
    drawn = draw(0, output=name, language=language).get_figure(root=True)
    assert isinstance(drawn, Figure)
    drawn.set_dpi(DPI)
    return drawn


def _text(found: Attribution, x: Tensor, output: int, language: Language) -> "Figure":
    from matplotlib.figure import Figure

    words_of = marked(x, found.groups, found.values[0, :, output])
    bars = HEADER + ROW * min(found.groups.n, MOST_BARS)
    heights = [0.1 + LINE * lines_of(words_of), bars]
    made = Figure(figsize=(7.5, sum(heights)), layout="constrained", dpi=DPI)
    above, below = made.subplots(2, 1, height_ratios=heights)
    draw_words(words_of, above)
    found.plot.bar(0, output=found.outputs[output], ax=below, language=language)
    return made


def saved(make: Callable[[], "Figure"], ending: str) -> bytes:
    """Return the bytes of a picture, the same for the same picture, in letters that this machine has."""
    from matplotlib import rc_context

    file = BytesIO()
    about: dict[str, Any] = {"Date": None} if ending == "svg" else {"Software": None}
    settings: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": "fivefold",
        "font.family": list(families()),
    }
    with rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a box stands for the letter
        make().savefig(file, format=ending, metadata=about)
    return file.getvalue()


def _page(found: Attribution, question: Explained, output: int, drawn: str, voice: Voice) -> str:
    title = text("Why {output}?", output=found.outputs[output]).words(voice.language)
    below = text(
        "{method}: {n} examples, {sure} of them converged, {evaluations} model evaluations.",
        method=found.method,
        n=len(found.values),
        sure=int(found.is_converged.sum()),
        evaluations=found.n_evaluations,
    ).words(voice.language)
    above = ""
    if question.model.schema.is_text:
        above = html_of(marked(question.x[0], found.groups, found.values[0, :, output]))
    return PAGE.format(
        above=above,
        language="zh-CN" if voice.language == "zh" else "en",
        title=escape(title),
        picture=drawn[drawn.index("<svg") :],
        below=escape(f"{below} {words(found.reason, voice.language)}"),
    )
