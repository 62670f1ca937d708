"""Images in an `.npz` file of NumPy, read without running anything in it."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from fivefold.core.errors import BadInput
from fivefold.data.archive import read_archive
from fivefold.data.column import MOST_CATEGORIES
from fivefold.data.parse import in_order
from fivefold.data.text_file import check_file

X, Y = ("x", "images"), ("y", "labels")


class Arrays(NamedTuple):
    """Images (image, channel, height, width) in [0, 1], the class of each, and the names of the classes."""

    x: Tensor
    y: Tensor
    classes: tuple[str, ...]


def read_arrays(path: Path, declared: tuple[str, ...]) -> Arrays:
    """Return the images and classes in an `.npz` file.

    Raises:
        BadInput: The file is damaged, lacks an array, holds objects, or shapes or values do not fit.
    """
    check_file(path)
    if path.suffix.lower() != ".npz":
        raise BadInput(
            "Images in a {ending} file cannot be read.",
            where=str(path),
            mend="Use a folder with a subfolder per class, or an .npz file with the arrays x and y.",
            ending=path.suffix or "nameless",
        )
    images, labels = read_archive(path, (X, Y))
    x = _channels_first(_unit(images, f"{path} (x)"), f"{path} (x)")
    if labels.ndim != 1 or len(labels) != len(x) or not len(x):
        raise BadInput(
            "There are {images} images and labels of the shape {labels}.",
            where=f"{path} (y)",
            mend="Give one label per image.",
            images=len(x),
            labels=str(labels.shape),
        )
    y, classes = _classes(labels, declared, f"{path} (y)")
    return Arrays(torch.from_numpy(x), y, classes)


def _unit(images: np.ndarray, place: str) -> np.ndarray:
    """Return pixels as float32 in [0, 1]: whole numbers are divided by what their type can hold."""
    if images.dtype.kind not in "buif":
        raise BadInput(
            "Images of the type {kind} are not numbers.",
            where=place,
            mend="Write bytes, or floats from 0 to 1.",
            kind=str(images.dtype),
        )
    top = {"f": 1, "b": 1}.get(
        images.dtype.kind, 65535 if (images.dtype.kind, images.dtype.itemsize) == ("u", 2) else 255
    )
    shown = images.astype(np.float32) / top
    wrong = ~((shown >= 0) & (shown <= 1))
    if wrong.any():
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise BadInput(
            "Pixel {index} is {value}; pixels go from 0 to {top}.",
            where=place,
            mend="Write bytes, or floats from 0 to 1.",
            index=str(index),
            value=str(images[index]),
            top=top,
        )
    return shown


def _channels_first(images: np.ndarray, place: str) -> np.ndarray:
    is_empty = 0 in images.shape[1:]
    if images.ndim == 3 and not is_empty:
        return images[:, None]
    if images.ndim == 4 and images.shape[1] in (1, 3) and not is_empty:
        return images
    if images.ndim == 4 and images.shape[3] in (1, 3) and not is_empty:
        return np.ascontiguousarray(np.moveaxis(images, 3, 1))
    raise BadInput(
        "Images of the shape {shape} cannot be read.",
        where=place,
        mend="Use (image, height, width), or 1 or 3 channels first or last.",
        shape=str(images.shape),
    )


def _classes(
    labels: np.ndarray, declared: tuple[str, ...], place: str
) -> tuple[Tensor, tuple[str, ...]]:
    if labels.dtype.kind not in "buiU":
        raise BadInput(
            "Labels of the type {kind} are not classes.",
            where=place,
            mend="Write whole numbers or text.",
            kind=str(labels.dtype),
        )
    found, index = np.unique(labels.astype(str), return_inverse=True)
    if any("\ud800" <= c <= "\udfff" for name in found for c in str(name)):
        raise BadInput(
            "A label is not text: it holds half a character.",
            where=place,
            mend="Write whole numbers or text.",
        )
    names = declared or in_order(found.tolist())
    if len(names) < 2 or len(names) > MOST_CATEGORIES:
        raise BadInput(
            "There are {n} classes; there must be at least 2 and at most {most}.",
            where=place,
            mend="Give each image the label of its class.",
            n=len(names),
            most=MOST_CATEGORIES,
        )
    if strange := [n for n in found.tolist() if n not in names]:
        raise BadInput(
            "{value} is not one of the declared classes.",
            where=place,
            mend="Correct it, or add it to the classes: {known}.",
            value=strange[0],
            known=", ".join(names[:20]),
        )
    position = np.array([names.index(n) for n in found.tolist()])
    return torch.from_numpy(position[index]), names
