"""Rows without targets, read as a known schema reads them; and values told as people know them."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fivefold.core.codepoints import encode_texts
from fivefold.core.errors import BadInput
from fivefold.core.schema import Column, Schema
from fivefold.data.array_file import read_arrays
from fivefold.data.columns import columns_of
from fivefold.data.raw import Raw
from fivefold.data.table_file import read_table

PICTURES = (".png", ".jpg", ".jpeg")


def rows_of(path: Path, schema: Schema, text: str = "") -> Tensor:
    """Return the rows of a file, or the one image that it is, as `schema` has them.

    Args:
        path: A table, an `.npz` file, a PNG or JPEG image, or one text in a `.txt` file.
        schema: What the model eats.
        text: The column of the texts, if it eats texts.

    Raises:
        BadInput: A column is not there, a value does not fit, or an image has another shape.
    """
    if schema.is_table:
        return columns_of(read_table(path), schema)
    if schema.is_text:
        is_one = path.suffix.lower() == ".txt"
        texts = [_whole(path)] if is_one else _texts(read_table(path), text)
        return encode_texts(texts, *schema.shape)
    found = _image(path, schema) if path.suffix.lower() in PICTURES else read_arrays(path, ()).x
    if tuple(found.shape[1:]) != schema.shape:
        raise BadInput(
            "The model reads images of the shape {mine}, and these have {given}.",
            where=str(path),
            mend="Bring them to that size and number of channels.",
            mine=str(schema.shape),
            given=str(tuple(found.shape[1:])),
        )
    return found


def told(column: Column, value: float) -> str:
    """Return a value as people know it: the name of a category, a number, or a question mark."""
    if value != value:
        return "?"
    if column.is_category:
        return column.categories[int(value)]
    return f"{value:.4g}"


def _texts(raw: Raw, name: str) -> list[str]:
    if name not in raw.frame.columns:
        raise BadInput(
            "Nobody says which column holds the texts.",
            where=raw.origin,
            mend="Name it with --text COLUMN. There are: {known}.",
            known=", ".join(raw.frame.columns[:20]),
        )
    return [str(value or "") for value in raw.frame[name].to_list()]


def _whole(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise BadInput(
            "This text cannot be read: {problem}.",
            where=str(path),
            mend="Save it as UTF-8.",
            problem=str(error)[:200],
        ) from error


def _image(path: Path, schema: Schema) -> Tensor:
    from PIL import Image

    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            mode = "L" if schema.shape[0] == 1 else "RGB"
            pixels = np.asarray(image.convert(mode), dtype=np.float32) / 255
    except (OSError, ValueError, SyntaxError) as error:
        raise BadInput(
            "This image cannot be read: {problem}.",
            where=str(path),
            mend="Save it again as PNG or JPEG, or remove it.",
            problem=str(error)[:200],
        ) from error
    shown = torch.from_numpy(pixels)
    return (shown[None] if shown.dim() == 2 else shown.movedim(2, 0))[None].contiguous()
