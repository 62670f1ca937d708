"""Images that cannot be used: what is said, where it points, and how to mend it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from refusal import says

from fivefold.core.errors import BadInput
from fivefold.data import Grouped, Images
from seeding import seeded


def picture(path: Path, size: tuple[int, int] = (4, 4), seed: int = 0) -> None:
    path.parent.mkdir(exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0]), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def folder(path: Path) -> Path:
    """Make two classes of five images."""
    for i in range(10):
        picture(path / ("cat" if i % 2 else "dog") / f"{i}.png", seed=i)
    return path


def _one_class(path: Path) -> None:
    picture(path / "cat" / "1.png")


def _empty_class(path: Path) -> None:
    (folder(path) / "bird").mkdir()


def _other_size(path: Path) -> None:
    picture(folder(path) / "dog" / "9.png", size=(5, 4))


def _cut_png(path: Path) -> None:
    file = folder(path) / "dog" / "4.png"
    file.write_bytes(file.read_bytes()[:50])


def _text_png(path: Path) -> None:
    (folder(path) / "dog" / "4.png").write_text("not an image")


def _empty_png(path: Path) -> None:
    (folder(path) / "dog" / "4.png").write_bytes(b"")


FOLDERS = {
    "no classes": (lambda path: None, "pictures", "subfolder", "0 subfolders"),
    "one class": (_one_class, "pictures", "subfolder", "1 subfolders"),
    "an empty class": (_empty_class, "bird", "Add images", "no PNG or JPEG"),
    "another size": (_other_size, "9.png", "one size", "5x4"),
    "a cut PNG": (_cut_png, "4.png", "Save it again", "cannot be read"),
    "text called PNG": (_text_png, "4.png", "Save it again", "cannot be read"),
    "an empty PNG": (_empty_png, "4.png", "Save it again", "cannot be read"),
}


@pytest.mark.parametrize("case", FOLDERS.values(), ids=FOLDERS)
def test_a_bad_image_folder_is_refused_with_place_and_remedy(case, tmp_path: Path):
    make, where, mend, what = case
    path = tmp_path / "pictures"
    path.mkdir()
    make(path)
    with pytest.raises(BadInput) as caught:
        Images(path="pictures").load(tmp_path, seeded())
    says(caught.value, where, mend, what)


def test_classes_must_be_the_subfolders(tmp_path: Path):
    folder(tmp_path)
    for classes in (("cat", "dog", "bird"), ("cat", "cow")):
        with pytest.raises(BadInput) as caught:
            Images(path=".", classes=classes).load(tmp_path, seeded())
        says(caught.value, str(tmp_path), "Name every subfolder", "differ")


def test_images_have_no_column_to_group_by(tmp_path: Path):
    folder(tmp_path)
    with pytest.raises(BadInput) as caught:
        Images(path=".", split=Grouped(column="patient")).load(tmp_path, seeded())
    says(caught.value, str(tmp_path), "data.Stratified", "no columns")


X = np.random.default_rng(0).random((40, 4, 4))
Y = np.arange(40) % 2
ARRAYS = {
    "no x": ({"a": X, "y": Y}, "a.npz", "There are: a, y", "no array x"),
    "no y": ({"x": X}, "a.npz", "There are: x", "no array y"),
    "objects": ({"x": X, "y": np.array([object()] * 40)}, "a.npz", "plain arrays", "objects"),
    "lengths": ({"x": X, "y": Y[:9]}, "a.npz (y)", "one label per image", "40 images"),
    "none": ({"x": X[:0], "y": Y[:0]}, "a.npz (y)", "one label per image", "0 images"),
    "flat": ({"x": X[:, 0], "y": Y}, "a.npz (x)", "channels", "(40, 4)"),
    "channels": ({"x": X[..., None].repeat(5, 3), "y": Y}, "a.npz (x)", "channels", "5"),
    "from 0 to 255": ({"x": X * 255, "y": Y}, "a.npz (x)", "floats from 0 to 1", "Pixel (0, 0, 0)"),
    "NaN": ({"x": np.where(X < 0.1, np.nan, X), "y": Y}, "a.npz (x)", "from 0 to 1", "nan"),
    "text": ({"x": X.astype(str), "y": Y}, "a.npz (x)", "Write bytes", "not numbers"),
    "real labels": ({"x": X, "y": Y + 0.5}, "a.npz (y)", "whole numbers or text", "float64"),
    "one class": ({"x": X, "y": Y * 0}, "a.npz (y)", "label of its class", "1 classes"),
}


@pytest.mark.parametrize("case", ARRAYS.values(), ids=ARRAYS)
def test_a_bad_array_file_is_refused_with_place_and_remedy(case, tmp_path: Path):
    arrays, where, mend, what = case
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(BadInput) as caught:
        Images(path="a.npz").load(tmp_path, seeded())
    says(caught.value, where, mend, what)


def test_a_damaged_array_file(tmp_path: Path):
    np.savez(tmp_path / "a.npz", x=X, y=Y)
    data = (tmp_path / "a.npz").read_bytes()
    for broken in (data[:-40], b"PK\x03\x04" + b"\0" * 99, data[:200] + b"\x55" * 99 + data[299:]):
        (tmp_path / "a.npz").write_bytes(broken)
        with pytest.raises(BadInput) as caught:
            Images(path="a.npz").load(tmp_path, seeded())
        says(caught.value, "a.npz", "numpy.savez", "not a whole .npz")


def test_a_file_that_unpacks_to_too_much(tmp_path: Path, monkeypatch):
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros((40, 50, 50)), y=Y)
    monkeypatch.setattr("fivefold.data.archive.MOST_BYTES", 100_000)
    with pytest.raises(BadInput) as caught:
        Images(path="a.npz").load(tmp_path, seeded())
    says(caught.value, "a.npz", "sample", "would unpack to 800576")


def test_images_in_an_unknown_file(tmp_path: Path):
    (tmp_path / "a.zip").write_bytes(b"PK")
    with pytest.raises(BadInput) as caught:
        Images(path="a.zip").load(tmp_path, seeded())
    says(caught.value, "a.zip", ".npz", ".zip")
