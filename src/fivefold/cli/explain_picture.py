"""One explanation as a picture: bars with whiskers for a table, the image beside its heat map."""

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
from fivefold.explanation.pictures.plot import MOST_BARS
from fivefold.report.words import words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW = 0.42  # inches of one bar
LINE = 0.24  # inches of one line of a text
CHINESE = (
    *("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei"),
    *("WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "SimHei", "Heiti SC", "Noto Sans CJK JP"),
)
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
    out: Path,
    told: dict[str, Any],
    voice: Voice,
) -> None:
    """Write the explanation as PNG, SVG, HTML or JSON, as the ending of `out` says."""
    ending = out.suffix.lower()
    if ending == ".json":
        write_atomic(out, json.dumps(told, ensure_ascii=False, indent=1) + "\n")
        return
    kind = "png" if ending == ".png" else "svg"
    drawn = saved(lambda: figure(found, question, output, voice.language), kind)
    write_atomic(
        out, drawn if ending != ".html" else _page(found, question, output, drawn.decode(), voice)
    )


def figure(found: Attribution, question: Explained, output: int, language: Language) -> "Figure":
    """Return the picture; an image stands beside its heat map, a text above its bars."""
    from matplotlib.figure import Figure

    x = question.x[0]
    if question.model.schema.is_text:
        return _text(found, x, output, language)
    if len(found.groups.shape) != 2:
        made = Figure(figsize=(7.5, _height(found)), layout="constrained", dpi=150)
        _bars(found, output, made.subplots(), language)
        return made
    made = Figure(figsize=(8, 4), layout="constrained", dpi=150)
    left, right = made.subplots(1, 2)
    shown = x[0] if x.shape[0] == 1 else x.movedim(0, 2)
    left.imshow(shown.numpy(), cmap="gray", vmin=0, vmax=1)
    left.set_title(text("what the model saw").words(language), fontsize="medium")
    left.set_xticks([])
    left.set_yticks([])
    _told(found, output, found.plot(0, found.outputs[output], right), language)
    return made


def _text(found: Attribution, x: Tensor, output: int, language: Language) -> "Figure":
    from matplotlib.figure import Figure

    words_of = marked(x, found.groups, found.values[0, :, output])
    heights = [0.1 + LINE * lines_of(words_of), _height(found)]
    made = Figure(figsize=(7.5, sum(heights)), layout="constrained", dpi=150)
    above, below = made.subplots(2, 1, height_ratios=heights)
    draw_words(words_of, above)
    _bars(found, output, below, language)
    return made


def _height(found: Attribution) -> float:
    return 1.2 + ROW * min(found.groups.n, MOST_BARS)


def _bars(found: Attribution, output: int, axes: "Axes", language: Language) -> None:
    _plain(found.plot(0, found.outputs[output], axes))
    _told(found, output, axes, language)


def _told(found: Attribution, output: int, axes: "Axes", language: Language) -> None:
    """Say in the reader's language what is drawn."""
    title = text(
        "{output}: from {base} to {score}",
        output=found.outputs[output],
        base=float(found.base[0, output]),
        score=float(found.score[0, output]),
    )
    axes.set_title(words(title, language), fontsize="medium")
    unit = words(found.unit, language)
    for image in axes.images:
        if image.colorbar is not None:
            image.colorbar.set_label(unit)
    if not axes.images:
        axes.set_xlabel(unit)


def saved(make: Callable[[], "Figure"], ending: str) -> bytes:
    """Return the bytes of a picture, the same for the same picture, in letters that this machine has."""
    from matplotlib import rc_context
    from matplotlib.font_manager import get_font_names

    known, file = set(get_font_names()), BytesIO()
    about: dict[str, Any] = {"Date": None} if ending == "svg" else {"Software": None}
    letters = ["DejaVu Sans", *(name for name in CHINESE if name in known)]
    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": "fivefold", "font.family": letters}
    with rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a box stands for the letter
        make().savefig(file, format=ending, metadata=about)
    return file.getvalue()


def _plain(axes: "Axes") -> None:
    """Take away lines that say nothing."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)


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
