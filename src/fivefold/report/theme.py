"""Colours and letters of pictures, told apart by people who see red and green alike (Okabe and Ito, 2008).

A picture names colours as CSS variables, so that the page can turn dark without drawing it again; where
there is no page around it (a model card), the light colours are written in.
"""

import re
from collections.abc import Mapping
from typing import Any

LIGHT: Mapping[str, str] = {
    "ink": "#1b2330", "soft": "#566073", "line": "#dfe3ea", "paper": "#ffffff",
    "c1": "#0b62c4", "c2": "#c2500a", "c3": "#0a7d6c", "c4": "#9a3f9d",
    "c5": "#8a6a00", "c6": "#3f8fb8", "c7": "#6a7180", "c8": "#b3415c",
}  # fmt: skip
DARK: Mapping[str, str] = {
    "ink": "#e8ecf3", "soft": "#a3aebf", "line": "#2c3544", "paper": "#151b25",
    "c1": "#62a8ff", "c2": "#ff9a57", "c3": "#3fcbb4", "c4": "#dd8fe0",
    "c5": "#e0bd4c", "c6": "#8fd0f2", "c7": "#aab3c2", "c8": "#f48ba3",
}  # fmt: skip
SERIES = [f"var(--c{i})" for i in range(1, 9)]
FONT = "system-ui, 'Segoe UI', Roboto, 'Noto Sans CJK SC', 'Noto Sans SC', 'PingFang SC', 'Microsoft YaHei', sans-serif"


def config() -> dict[str, Any]:
    """Return the Vega-Lite configuration that every picture shares."""
    soft, ink, line = "var(--soft)", "var(--ink)", "var(--line)"
    quiet = {"labelColor": soft, "titleColor": soft, "labelFontSize": 11, "titleFontSize": 11}
    return {
        "background": "transparent",
        "font": FONT,
        "view": {"stroke": None},
        "title": {"color": ink, "fontSize": 13, "fontWeight": 600, "anchor": "start"},
        "axis": quiet
        | {"gridColor": line, "domainColor": line, "tickColor": line, "titleFontWeight": 500}
        | {"labelPadding": 5, "titlePadding": 9, "tickSize": 4},
        "legend": quiet
        | {"orient": "bottom", "symbolStrokeWidth": 2.5, "titleFontWeight": 500}
        | {"symbolOpacity": 1, "labelLimit": 0},
        "header": quiet | {"labelFontWeight": 600, "labelColor": ink},
        "range": {
            "category": SERIES,
            "heatmap": {"scheme": "cividis"},
            "ramp": {"scheme": "cividis"},
        },
        "line": {"strokeWidth": 2.2, "strokeCap": "round"},
        "text": {"color": ink, "fontSize": 11},
        "rule": {"color": soft},
    }


def variables(colours: Mapping[str, str]) -> str:
    """Return the colours as CSS declarations."""
    return "".join(f"--{name}:{value};" for name, value in colours.items())


def written_in(svg: str, colours: Mapping[str, str] = LIGHT) -> str:
    """Return a picture with real colours in place of the variables."""
    return re.sub(r"var\(--(\w+)\)", lambda found: colours.get(found[1], colours["ink"]), svg)
