"""A hook of MkDocs: each notebook below `docs` becomes a page, with the outputs that it holds. Nothing is carried out."""

import json
import re
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

LINK = re.compile(r"\.ipynb\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page and its pictures for each notebook."""
    for file in [f for f in files if f.src_uri.endswith(".ipynb")]:
        name, notebook = file.src_uri.removesuffix(".ipynb"), json.loads(file.content_string)
        pictures: list[str] = []
        body = "\n\n".join(parts(notebook, name.rpartition("/")[2], pictures))
        files.append(File.generated(config, f"{name}.md", content=body))
        for i, packed in enumerate(pictures):
            file = File.generated(config, f"{name}/{i}.png", content=b64decode(packed))
            files.append(file)
    return files


def parts(notebook: dict[str, Any], folder: str, pictures: list[str]) -> Iterator[str]:
    """Yield the cells and their outputs as Markdown; `pictures` is filled on the way."""
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            yield source
            continue
        yield f"```python\n{source}\n```"
        for shown in cell["outputs"]:
            data = shown.get("data", {})
            if "image/png" in data:
                yield f"![what this cell draws]({folder}/{len(pictures)}.png)"
                pictures.append(data["image/png"])
            else:
                said = "".join(shown.get("text") or data["text/plain"])
                yield f"```text\n{said.rstrip()}\n```"


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links to a notebook lead to its page."""
    return LINK.sub(".md)", markdown)
