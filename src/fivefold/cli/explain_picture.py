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
from fivefold.core.text import text
from fivefold.explanation import Attribution
from fivefold.report.words import words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW = 0.42  # inches of one bar
CHINESE = (
    *("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei"),
    *("WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "SimHei", "Heiti SC", "Noto Sans CJK JP"),
)
PAGE = """<!DOCTYPE html><html lang="{language}"><meta charset="utf-8"><title>{title}</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:760px;margin:2rem auto;padding:0 1rem;color:#1b2330}}svg{{max-width:100%;height:auto}}p{{color:#4a5568}}</style>
<h1>{title}</h1>{picture}<p>{below}</p></html>
"""


class Explained(Protocol):
    """What was explained."""

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
    drawn = saved(lambda: figure(found, question.x[0], output), kind)
    write_atomic(out, drawn if ending != ".html" else _page(found, output, drawn.decode(), voice))


def figure(found: Attribution, x: Tensor, output: int) -> "Figure":
    """Return the picture; an image stands beside its heat map."""
    from matplotlib.figure import Figure

    if len(found.groups.shape) != 2:
        height = 1.2 + ROW * min(found.groups.n, 12)
        made = Figure(figsize=(7.5, height), layout="constrained", dpi=150)
        _plain(found.plot(0, found.outputs[output], made.subplots()))
        return made
    made = Figure(figsize=(8, 4), layout="constrained", dpi=150)
    left, right = made.subplots(1, 2)
    shown = x[0] if x.shape[0] == 1 else x.movedim(0, 2)
    left.imshow(shown.numpy(), cmap="gray", vmin=0, vmax=1)
    left.set_title("what the model saw", fontsize="medium")
    left.set_xticks([])
    left.set_yticks([])
    found.plot(0, found.outputs[output], right)
    return made


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


def _page(found: Attribution, output: int, drawn: str, voice: Voice) -> str:
    title = text("Why {output}?", output=found.outputs[output]).words(voice.language)
    below = text(
        "{method}: {n} examples, {sure} of them converged, {evaluations} model evaluations.",
        method=found.method,
        n=len(found.values),
        sure=int(found.is_converged.sum()),
        evaluations=found.n_evaluations,
    ).words(voice.language)
    return PAGE.format(
        language="zh-CN" if voice.language == "zh" else "en",
        title=escape(title),
        picture=drawn[drawn.index("<svg") :],
        below=escape(f"{below} {words(found.reason, voice.language)}"),
    )
