"""Influences as HTML without scripts: the strongest training examples of a few rows, images as pictures."""

from base64 import b64encode
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from torch import Tensor

from fivefold.core.text import Text, text
from fivefold.explanation.influence.ranking import Example, columns_of, label_of
from fivefold.explanation.pictures.paper import DOWN, UP

if TYPE_CHECKING:
    from fivefold.explanation.influence.influence import Influence

MOST_ROWS, MOST_COLUMNS, EACH, SIDE = 3, 8, 3, 48


def as_html(found: "Influence") -> str:
    """Return the first few rows, each with the examples for and against its answer."""
    told = [summary(found), *found.limits, warning()]
    lines = "".join(f"<p>{escape(str(t))}</p>" for t in told)
    rows = range(min(MOST_ROWS, len(found.values)))
    return f"<div>{lines}{''.join(_table(found, row) for row in rows)}</div>"


def summary(found: "Influence") -> Text:
    """Return what was looked at."""
    return text(
        "{method}: influence of {train} training examples on {rows} rows, in {unit}.",
        method=found.method,
        train=found.train.size,
        rows=found.x.size,
        unit=str(found.unit),
    )


def warning() -> Text:
    """Return what a reader of training rows must know."""
    return text("This shows rows of the training data. Pass it on only to people who may see them.")


def pixels(x: Float[Tensor, "channel height width"]) -> np.ndarray:
    """Return an image as whole numbers from 0 to 255, `(height, width, 3)`."""
    whole = (x.float().clamp(0, 1) * 255).round().byte().permute(1, 2, 0)
    return whole[..., [0, 0, 0] if whole.shape[-1] < 3 else [0, 1, 2]].numpy()


def is_image(found: "Influence") -> bool:
    """Whether examples are pictures."""
    return len(found.schema.shape) == 3


def _table(found: "Influence", row: int) -> str:
    top = found.top(row, EACH)
    about = {} if is_image(found) else columns_of(found.schema, found.x.x, row)
    names = list(about)[:MOST_COLUMNS]
    head = "".join(f"<th>{escape(n)}</th>" for n in names)
    own = _thumbnail(found.x.x, row) if is_image(found) else ""
    title = text("Row {row}: {label}", row=row, label=label_of(found.task, found.x.y[row]))
    asked_of = "".join(f"<td>{_cell(about[n])}</td>" for n in names)
    first = f"<tr><td></td><td></td><td><b>{escape(str(title))}</b></td><td>{own}</td>{asked_of}</tr>"  # fmt: skip
    lines = "".join(_line(found, e, names) for e in (*top.helpful, *top.harmful[::-1]))
    labels = (text("training row"), text("influence"), text("label"))
    start = "".join(f"<th>{escape(str(t))}</th>" for t in labels)
    return f"<table><thead><tr>{start}<th></th>{head}</tr></thead><tbody>{first}{lines}</tbody></table>"


def _line(found: "Influence", example: Example, names: list[str]) -> str:
    colour = UP if example.value > 0 else DOWN
    sure = "" if example.error is None else f" ± {1.96 * example.error:.2g}"
    image = _thumbnail(found.train.x, example.train_row) if is_image(found) else ""
    cells = "".join(f"<td>{_cell(example.columns[n])}</td>" for n in names)
    return (
        f"<tr><td>{example.train_row}</td><td style='color:{colour}'>{example.value:+.3g}{sure}</td>"
        f"<td>{escape(example.label)}</td><td>{image}</td>{cells}</tr>"
    )


def _cell(value: str | float) -> str:
    return escape(value[:200]) if isinstance(value, str) else f"{value:.4g}"


def _thumbnail(x: object, row: int) -> str:
    from PIL import Image

    assert isinstance(x, Tensor)
    picture, held = Image.fromarray(pixels(x[row])), BytesIO()
    picture.save(held, format="PNG")
    data = b64encode(held.getvalue()).decode()
    return f'<img alt="" height="{SIDE}" style="image-rendering:pixelated" src="data:image/png;base64,{data}">'
