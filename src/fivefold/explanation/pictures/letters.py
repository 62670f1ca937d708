"""Letters of pictures: Latin ones and, where this machine has any, Chinese ones; long names fold and are never cut."""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

CHINESE = (
    *("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei"),
    *("WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "SimHei", "Heiti SC", "Noto Sans CJK JP"),
)
SOFT = re.compile(  # a line may end here; no Chinese line begins with a comma or ends with a bracket
    r"\s+|(?:(?<=[_\-/,;:+|])(?!\d)|(?<=[^\x00-\u2e7f])|(?=[^\x00-\u2e7f]))(?<![（《“])(?![，。、：；！？）》”])"
)


@cache
def families() -> tuple[str, ...]:
    """Return the font families to draw with; what the first lacks comes from a later one."""
    from matplotlib.font_manager import get_font_names

    known = set(get_font_names())
    return ("DejaVu Sans", *(name for name in CHINESE if name in known))


def cells(word: str) -> int:
    """Return how many columns a word takes: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in word)


def folded(told: str, columns: int) -> str:
    """Return `told` in lines of at most `columns`, broken at spaces, behind signs and between Chinese characters.

    A piece that is longer than a line is broken anywhere, so that nothing is lost.
    """
    lines = [""]
    for piece in _pieces(told, max(2, columns)):
        if lines[-1] and cells((lines[-1] + piece).rstrip()) > columns:
            lines.append("")
        lines[-1] += piece if lines[-1] else piece.lstrip()
    return "\n".join(line.rstrip() for line in lines)


def _pieces(told: str, columns: int) -> list[str]:
    """Return the parts between which a line may end; each fits into a line."""
    found: list[str] = []
    start = 0
    for match in SOFT.finditer(told):
        found.append(told[start : match.end()])
        start = match.end()
    found.append(told[start:])
    return [part for piece in found if piece for part in _cut(piece, columns)]


def _cut(piece: str, columns: int) -> list[str]:
    parts = [""]
    for letter in piece:
        if not letter.isspace() and cells(parts[-1] + letter) > columns:
            parts.append("")
        parts[-1] += letter
    return parts


def in_lines(parts: Iterable[str], columns: int) -> str:
    """Return parts with dots between them, in lines that break between parts; a longer part is folded.

    Behind a part that is a line break a new line begins.
    """
    lines: list[str] = []
    is_new = True
    for part in filter(None, parts):
        if part == "\n":
            is_new = True
            continue
        joined = part if is_new else f"{lines[-1]} · {part}"
        if not is_new and cells(joined) <= columns:
            lines[-1] = joined
        else:
            lines += folded(part, columns).split("\n")
        is_new = False
    return "\n".join(lines)


def number(value: float, *, signed: bool = False) -> str:
    """Return a number as people read it: three digits, no exponent where none is needed."""
    sign = "+" if signed else ""
    size = abs(value)
    if size >= 1e6 or 0 < size < 1e-3:
        told = f"{value:{sign}.2e}"
    elif size >= 1000:
        told = f"{value:{sign},.0f}"
    else:
        told = f"{value:{sign}.3g}"
    return told.replace("-", "−")
