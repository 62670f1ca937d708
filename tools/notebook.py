"""Carry out a notebook and keep what its cells show: text, and pictures in few colours. Jupyter is not needed.

python tools/notebook.py docs/notebooks/medical.ipynb
"""

import argparse
import ast
import json
from base64 import b64encode
from contextlib import redirect_stdout
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import matplotlib

COLOURS, DPI = 48, 80


def carried_out(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return the notebook with the outputs of its code cells, carried out in order with shared names."""
    matplotlib.use("agg")
    names: dict[str, Any] = {"__name__": "notebook"}
    cells: list[dict[str, Any]] = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            count = 1 + sum(c["cell_type"] == "code" for c in cells)
            shown = outputs("".join(cell["source"]), names, count)
            cells.append(cell | {"execution_count": count, "outputs": shown})
        else:
            cells.append(cell)
    return notebook | {"cells": cells}


def outputs(source: str, names: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """Return what one cell shows: what it printed, its last value unless a semicolon ends it, its pictures."""
    body, last = ast.parse(source).body, None
    if body and isinstance(body[-1], ast.Expr) and not source.rstrip().endswith(";"):
        last = ast.Expression(body.pop().value)  # type: ignore[attr-defined]
    said, value = StringIO(), None
    with redirect_stdout(said):
        exec(compile(ast.Module(body, []), f"cell {count}", "exec"), names)
        if last is not None:
            value = eval(compile(last, f"cell {count}", "eval"), names)
    found: list[dict[str, Any]] = []
    if said.getvalue():
        found.append({"output_type": "stream", "name": "stdout", "text": lines(said.getvalue())})
    if value is not None:
        data = {"text/plain": lines(repr(value))}
        if hasattr(value, "_repr_html_"):
            data["text/html"] = lines(value._repr_html_())
        found.append({"output_type": "execute_result", "execution_count": count, "data": data, "metadata": {}})  # fmt: skip
    return [*found, *pictures()]


def lines(text: str) -> list[str]:
    """Return a text as notebooks keep it."""
    return text.splitlines(keepends=True)


def pictures() -> list[dict[str, Any]]:
    """Return the open figures as they are, and close them."""
    from matplotlib import pyplot as plt

    found: list[dict[str, Any]] = []
    for number in plt.get_fignums():
        data = {"image/png": small_png(plt.figure(number)), "text/plain": ["<Figure>"]}
        found.append({"output_type": "display_data", "data": data, "metadata": {}})
    plt.close("all")
    return found


def small_png(figure: Any) -> str:
    """Return a figure in few colours, as base64."""
    from PIL import Image

    raw, packed = BytesIO(), BytesIO()
    figure.savefig(raw, dpi=DPI, bbox_inches="tight", facecolor="white")
    Image.open(raw).convert("RGB").quantize(COLOURS).save(packed, "png", optimize=True)
    return b64encode(packed.getvalue()).decode()


def main() -> None:
    """Carry out the notebook that is named, in place."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    file: Path = parser.parse_args().file
    notebook = carried_out(json.loads(file.read_text(encoding="utf-8")))
    file.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
