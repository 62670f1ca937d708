"""The OpenAPI description as one plain page, without a script and without the network."""

import json
from collections.abc import Mapping
from html import escape
from typing import Any


def docs(described: Mapping[str, Any]) -> str:
    """Return the page."""
    title = escape(described["info"]["title"])
    parts = [
        _operation(path, method, told)
        for path, methods in described["paths"].items()
        for method, told in methods.items()
    ]
    return (
        f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        "<style>body{font:16px/1.5 system-ui;max-width:50rem;margin:2rem auto;padding:0 1rem}"
        "pre{overflow:auto;background:#8881;padding:1rem}</style>"
        f'<h1>{title}</h1><p><a href="/openapi.json">openapi.json</a></p>{"".join(parts)}</html>'
    )


def _operation(path: str, method: str, told: Mapping[str, Any]) -> str:
    answers = "".join(
        f"<li><b>{code}</b> {escape(answer['description'])}</li>"
        for code, answer in told["responses"].items()
    )
    body = told.get("requestBody", {}).get("content", {}).get("application/json", {})
    example = f"<pre>{escape(json.dumps(body['example']))}</pre>" if body else ""
    head = f"<h2><code>{method.upper()} {escape(path)}</code></h2>"
    return f"{head}<p>{escape(told['summary'])}</p>{example}<ul>{answers}</ul>"
