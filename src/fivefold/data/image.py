"""Images from a folder or an array file."""

import struct
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from fivefold.core.data import Batch, Dataset
from fivefold.core.errors import BadInput
from fivefold.core.schema import Schema
from fivefold.core.task import Task
from fivefold.core.text import Text, text
from fivefold.data.array_file import read_arrays
from fivefold.data.assemble import assemble, check_classes, default_split
from fivefold.data.leak import Policy, settle
from fivefold.data.parse import in_order
from fivefold.data.raw import MOST_VALUES
from fivefold.data.split import Examples, Split
from fivefold.data.text_file import is_folder

if TYPE_CHECKING:
    from PIL.Image import Image

Color = Literal["auto", "grey", "rgb"]
UNREADABLE = (OSError, EOFError, ValueError, IndexError, SyntaxError, struct.error)
ENDINGS = (".png", ".jpg", ".jpeg")


class Pictures(NamedTuple):
    """Images with pixels in [0, 1], the class of each, and other arrays that a split may read."""

    x: Float[Tensor, "image channel height width"]
    y: Int[Tensor, " image"]
    classes: tuple[str, ...]
    notes: tuple[Text, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Images:
    """Images of one size: a folder with one subfolder of PNG or JPEG files per class, or an `.npz` file.

    The file holds `x` (or `images`): (image, height, width), with channels last or first, as bytes or as
    floats in [0, 1]; and `y` (or `labels`): whole numbers or text.

    Attributes:
        path: The folder or file, relative to the recipe's folder.
        color: Grey or RGB; `auto` is grey if every image in the folder is.
        classes: Names of the classes in the order of the outputs; by default sorted.
        split: How to split; by default stratified.
        leaks: What to do with a training image that has an exact copy in valid or test: drop it from
            train, refuse the data (`error`), or keep it.
    """

    path: str
    color: Color = "auto"
    classes: tuple[str, ...] = ()
    split: Split | None = None
    leaks: Policy = "drop"

    def load(self, folder: Path, rng: Generator) -> Dataset:
        """Return the images, split and described.

        Raises:
            BadInput: They cannot be used; says which file or array and how to mend it.
        """
        path = folder / self.path
        if is_folder(path):
            found = read_folder(path, self.color, self.classes)
        else:
            found = Pictures(*read_arrays(path, self.classes))
        return pictures(path.stem, found, self.split, self.leaks, str(path), rng)


def pictures(
    name: str, found: Pictures, split: Split | None, leaks: Policy, place: str, rng: Generator
) -> Dataset:
    """Return images, split and described.

    Raises:
        BadInput: They cannot be split so, or are copies of one another and that is an error.
    """
    x, y, classes, notes = found
    task = Task(classes=classes, target="class")
    examples = Examples(len(y), y, classes, place=lambda _: place)
    rows = (split or default_split(task)).rows(examples, rng)
    check_classes(y, task, rows, place)
    rows, said = settle(x, y, rows, leaks, place)
    check_classes(y, task, rows, place)
    schema = Schema(shape=tuple(x.shape[1:]))
    return assemble(name, Batch(x, y), schema, task, rows, (*notes, *said))


def read_folder(path: Path, color: Color, declared: tuple[str, ...]) -> Pictures:
    """Return the images of a folder with one subfolder per class.

    Raises:
        BadInput: A class is empty, a file is damaged, or sizes differ.
    """
    folders = {p.name: p for p in path.iterdir() if p.is_dir() and not p.name.startswith(".")}
    classes = declared or in_order(list(folders))
    _check_folders(classes, folders, path)
    files = [(f, i) for i, name in enumerate(classes) for f in _images(folders[name])]
    is_grey = color == "grey" or (color == "auto" and all(_is_grey(f) for f, _ in files))
    size = _header(files[0][0]).size
    n_values = len(files) * size[0] * size[1] * (1 if is_grey else 3)
    check_amount(n_values, str(path))
    x = np.stack([_pixels(f, is_grey, size, files[0][0]) for f, _ in files])
    n_other = sum(1 for n in classes for f in folders[n].iterdir() if f.suffix.lower() not in ENDINGS)  # fmt: skip
    notes = (text("{n} files that are neither PNG nor JPEG were passed over.", n=n_other),)
    y = torch.tensor([i for _, i in files])
    return Pictures(torch.from_numpy(x), y, classes, notes if n_other else ())


def check_amount(values: int, place: str) -> None:
    """Refuse images that would not fit into memory.

    Raises:
        BadInput: As said.
    """
    if values > 4 * MOST_VALUES:
        raise BadInput(
            "These images have {n} values together; the limit is {most}.",
            where=place,
            mend="Make them smaller or take fewer.",
            n=values,
            most=4 * MOST_VALUES,
        )


def _check_folders(classes: tuple[str, ...], folders: dict[str, Path], path: Path) -> None:
    if len(classes) < 2:
        raise BadInput(
            "There are {n} subfolders; each class needs one, and there must be two classes.",
            where=str(path),
            mend="Put the images of each class into a subfolder named after it.",
            n=len(classes),
        )
    for name in (*classes, *folders):
        if name not in folders or name not in classes:
            raise BadInput(
                "Subfolders and declared classes differ in {name}.",
                where=str(path),
                mend="Name every subfolder in classes = [...], or leave it out.",
                name=name,
            )
        if not _images(folders[name]):
            raise BadInput(
                "There is no PNG or JPEG file in this folder.",
                where=str(folders[name]),
                mend="Add images of the class, or remove the folder.",
            )


def _images(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in ENDINGS)


def _is_grey(path: Path) -> bool:
    return _header(path).mode in ("1", "L", "I;16")


def _header(path: Path) -> "Image":
    """Return an image of which only the header has been read.

    Raises:
        BadInput: It is not an image.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(path, formats=("PNG", "JPEG")) as image:
                return image
    except (*UNREADABLE, Image.DecompressionBombError, Warning) as error:
        raise _damaged(path, error) from error


def _pixels(path: Path, is_grey: bool, size: tuple[int, int], first: Path) -> np.ndarray:
    """Return (channel, height, width) in [0, 1]."""
    from PIL import Image

    if (found := _header(path).size) != size:
        raise BadInput(
            "This image has {found} pixels, and {first} has {wanted}.",
            where=str(path),
            mend="Bring all images to one size.",
            found=f"{found[0]}x{found[1]}",
            first=first.name,
            wanted=f"{size[0]}x{size[1]}",
        )
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            if image.mode == "I;16":
                deep = np.asarray(image, dtype=np.float32)[None] / 65535
                return deep if is_grey else deep.repeat(3, axis=0)
            shown = np.asarray(image.convert("L" if is_grey else "RGB"), dtype=np.float32) / 255
    except UNREADABLE as error:
        raise _damaged(path, error) from error
    return shown[None] if is_grey else np.moveaxis(shown, 2, 0)


def _damaged(path: Path, error: BaseException) -> BadInput:
    return BadInput(
        "This image cannot be read: {problem}.",
        where=str(path),
        mend="Save it again as PNG or JPEG, or remove it.",
        problem=str(error).replace(str(path), path.name),
    )
