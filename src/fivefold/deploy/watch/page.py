"""The live page: one file, no request to anywhere but its own stream, everything escaped."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from fivefold.core.text import Language, translate
from fivefold.deploy.watch.monitor import Monitor
from fivefold.deploy.watch.state import state_of
from fivefold.report.templating import safe_json, script_hash
from fivefold.report.theme import DARK, LIGHT, variables

FOLDER = Path(__file__).parent / "templates"
WORDS = (
    "live", "waiting for the stream …", "requests per second", "refused per second", "seconds", "median",
    "95 of 100 are faster", "share of alarms", "expected share", "now", "{n} s ago", "distance",
    "what sampling alone gives", "drifted", "no drift shown", "reference", "nothing yet", "chance {x}",
    "share of requests", "requests", "Value", "95 % interval", "Chance", "Note",
)  # fmt: skip


def page(monitor: Monitor, language: Language) -> str:
    """Return the page with the state as it is now; it renews itself as the stream tells."""

    def spoken(english: str, **facts: Any) -> str:
        return translate(english, language).format(**facts)

    state = state_of(monitor, language)
    told = {
        "state": state,
        "language": language,
        "words": {w: translate(w, language) for w in WORDS},
    }
    return _environment().from_string(_read("live.html.jinja")).render(
        _=spoken, language=language, state=state, told=safe_json(told), style=Markup(_style()), script=Markup(_script())  # noqa: S704 - files of this package
    )  # fmt: skip


def page_headers() -> dict[str, str]:
    """Return the headers of the page: it may run its own script, read its own stream, and nothing else."""
    policy = (
        "default-src 'none'; "
        f"script-src {script_hash(_script())}; style-src {script_hash(_style())}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "Vary": "Accept-Language",
    }


@cache
def _environment() -> Environment:
    return Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


@cache
def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


@cache
def _script() -> str:
    return _read("live.js")


@cache
def _style() -> str:
    dark = f"@media (prefers-color-scheme:dark){{:root{{{variables(DARK)}--wash:#0e131b;--bad-ink:#ffc49c}}}}"
    return f":root{{color-scheme:light dark;{variables(LIGHT)}--wash:#f5f7fa;--bad-ink:#8f3906}}{dark}{_read('live.css')}"
