"""Images from folders and arrays: every pixel where it was."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fivefold.core.codec import decode, encode
from fivefold.core.source import Source
from fivefold.data import Images, Random
from seeding import seeded


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path)


def grey(n: int = 12) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, 4, 6), dtype=np.uint8)


def everything(data) -> tuple[torch.Tensor, torch.Tensor]:
    seen, test = data.splits
    parts = (seen.train, seen.valid, test)
    return torch.cat([p.x for p in parts]), torch.cat([p.y for p in parts])


def as_sets(x: torch.Tensor, y: torch.Tensor) -> set[tuple[object, ...]]:
    return {(int(k), tuple(i.flatten().tolist())) for i, k in zip(x, y, strict=True)}


def test_a_folder_comes_back_pixel_by_pixel(tmp_path: Path):
    pixels = grey()
    for i, image in enumerate(pixels):
        save(tmp_path / ("b" if i % 2 else "a") / f"{i}.png", image)
    data = Images(path=".").load(tmp_path, seeded())
    assert data.schema.shape == (1, 4, 6)
    assert data.task.classes == ("a", "b")
    expected = torch.tensor(pixels / 255, dtype=torch.float32)[:, None]
    assert as_sets(*everything(data)) == as_sets(expected, torch.arange(12) % 2)


@pytest.mark.parametrize(("color", "channels"), [("auto", 3), ("rgb", 3), ("grey", 1)])
def test_one_coloured_image_makes_all_coloured(color, channels, tmp_path: Path):
    for i, image in enumerate(grey()):
        shown = image[..., None].repeat(3, 2) if i == 3 else image
        save(tmp_path / ("b" if i % 2 else "a") / f"{i}.png", shown)
    data = Images(path=".", color=color).load(tmp_path, seeded())
    assert data.schema.shape == (channels, 4, 6)


def test_sixteen_bits_keep_their_depth(tmp_path: Path):
    deep = np.random.default_rng(0).integers(0, 65536, (12, 4, 4), dtype=np.uint16)
    for i, image in enumerate(deep):
        save(tmp_path / ("b" if i % 2 else "a") / f"{i}.png", image)
    x, y = everything(Images(path=".").load(tmp_path, seeded()))
    expected = torch.tensor(deep.astype(np.float32) / 65535)[:, None]
    assert as_sets(x, y) == as_sets(expected, torch.arange(12) % 2)


def test_jpeg_is_near_and_other_files_are_passed_over(tmp_path: Path):
    for i in range(12):
        save(tmp_path / ("b" if i % 2 else "a") / f"{i}.jpg", np.full((8, 8), 20 * i, np.uint8))
    (tmp_path / "a" / "notes.txt").write_text("x")
    (tmp_path / ".cache").mkdir()
    data = Images(path=".").load(tmp_path, seeded())
    assert sorted(everything(data)[0].mean(dim=(1, 2, 3)).tolist()) == pytest.approx([i * 20 / 255 for i in range(12)], abs=0.01)  # fmt: skip
    assert "1 files that are neither PNG nor JPEG" in str(data.notes[0])


@pytest.mark.parametrize(
    ("images", "shape"),
    [
        (grey(), (1, 4, 6)),
        (grey()[:, None], (1, 4, 6)),
        (grey()[..., None].repeat(3, 3), (3, 4, 6)),
        (grey().astype(np.int64), (1, 4, 6)),
        (grey() / 255, (1, 4, 6)),
    ],
)
def test_arrays_come_back_pixel_by_pixel(images, shape, tmp_path: Path):
    labels = np.arange(12) % 2
    np.savez(tmp_path / "a.npz", images=images, labels=labels)
    data = Images(path="a.npz").load(tmp_path, seeded())
    assert data.schema.shape == shape
    expected = torch.tensor(grey() / 255, dtype=torch.float32)[:, None].expand(-1, *shape)
    assert as_sets(*everything(data)) == as_sets(expected, torch.tensor(labels))


def test_labels_may_be_text_in_a_declared_order(tmp_path: Path):
    np.savez(tmp_path / "a.npz", x=grey(), y=np.array(["up", "down"] * 6))
    data = Images(path="a.npz", classes=("up", "down")).load(tmp_path, seeded())
    assert data.task.classes == ("up", "down")
    expected = torch.tensor(grey() / 255, dtype=torch.float32)[:, None]
    assert as_sets(*everything(data)) == as_sets(expected, torch.arange(12) % 2)


def test_copies_leave_train_and_near_copies_are_noted(tmp_path: Path):
    x = np.random.default_rng(0).integers(20, 200, (40, 4, 4), dtype=np.uint8)
    rows = Random().rows(_examples(40), seeded())
    x[rows.train[0]] = x[rows.test[0]]
    x[rows.train[1]] = x[rows.test[1]] + 1
    np.savez(tmp_path / "a.npz", x=x, y=np.arange(40) % 2)
    data = Images(path="a.npz", split=Random()).load(tmp_path, seeded())
    assert data.splits.seen.train.size == len(rows.train) - 1
    assert any("1 examples were taken out of train" in str(note) for note in data.notes)
    assert any("1 examples of valid and test are nearly equal" in str(note) for note in data.notes)


def _examples(n: int):
    from fivefold.data.split import Examples

    return Examples(n, torch.arange(n) % 2, ("0", "1"))


def test_images_survive_the_recipe_file():
    source = Images(path="scans", classes=("a", "b"), split=Random(test=0.3))
    assert decode(encode(source), Source) == source
