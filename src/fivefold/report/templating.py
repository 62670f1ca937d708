"""Templates: everything that comes from a run is hostile and is escaped."""

import json
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from fivefold.core.text import Language, translate

FOLDER = Path(__file__).parent / "templates"


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )  # fmt: skip


def render(template: str, language: Language, **facts: Any) -> str:
    """Fill in a template, whose own words stand in `_("...")`."""

    def spoken(english: str, **inside: Any) -> str:
        return translate(english, language).format(**inside)

    return _environment().get_template(template).render(_=spoken, language=language, **facts)


def part(name: str) -> Markup:
    """Return a file of ours as it is."""
    return Markup((FOLDER / name).read_text(encoding="utf-8"))  # noqa: S704 - a file of this package


def safe_json(value: Any) -> Markup:
    """Return JSON that cannot end the script element it stands in."""
    told = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    swaps: Mapping[str, str] = {
        "<": "\\u003c",
        ">": "\\u003e",
        "&": "\\u0026",
        "\u2028": "\\u2028",
        "\u2029": "\\u2029",
    }
    for sign, code in swaps.items():
        told = told.replace(sign, code)
    return Markup(told)  # noqa: S704 - no sign that HTML knows is left


def script_hash(script: str) -> str:
    """Return what a content security policy calls a script that it lets run."""
    return f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"
