"""Attributions as CSV, Parquet or arrays, written a block at a time."""

import csv
import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from fivefold.explanation.attribution import Attribution
from fivefold.explanation.records import COLUMNS, frame_of, records_of

ARRAYS = ("values", "base", "score", "error", "is_converged", "x")


class Writer(Protocol):
    """Something that takes blocks and makes one file of them."""

    def add(self, found: Attribution, start: int) -> None:
        """Take a block whose first row is the `start`-th of all."""
        ...

    def close(self) -> None:
        """Finish the file."""
        ...


class _Csv:
    def __init__(self, part: Path) -> None:
        self.part = part
        self._append([COLUMNS])

    def add(self, found: Attribution, start: int) -> None:
        self._append((start + int(str(row)), *rest) for row, *rest in records_of(found))

    def close(self) -> None:
        pass

    def _append(self, lines: Iterable[tuple[object, ...]]) -> None:
        with self.part.open("a", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(lines)


class _Parquet:
    def __init__(self, part: Path, folder: Path) -> None:
        self.part, self.folder, self.pieces = part, folder, list[Path]()

    def add(self, found: Attribution, start: int) -> None:
        import polars as pl

        frame: Any = frame_of(found, "polars")
        piece = self.folder / f"{len(self.pieces):08}.parquet"
        frame.with_columns(pl.col("row") + start).write_parquet(piece)
        self.pieces.append(piece)

    def close(self) -> None:
        import polars as pl

        pl.scan_parquet(self.pieces).sink_parquet(self.part)


class _Arrays:
    def __init__(self, part: Path, folder: Path) -> None:
        self.part, self.folder = part, folder
        self.shapes: dict[str, tuple[np.dtype[Any], tuple[int, ...]]] = {}
        self.names: dict[str, tuple[str, ...]] = {}

    def add(self, found: Attribution, start: int) -> None:
        self.names = {"features": found.names, "outputs": found.outputs}
        for name in ARRAYS:
            value = getattr(found, name)
            value = torch.full_like(found.values, torch.nan) if value is None else value
            array = np.ascontiguousarray(value.detach().cpu().numpy())
            with (self.folder / name).open("ab") as file:
                file.write(array.tobytes())
            self.shapes[name] = (array.dtype, (start + len(array), *array.shape[1:]))

    def close(self) -> None:
        with zipfile.ZipFile(self.part, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
            for name, (kind, shape) in self.shapes.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                    head = {"descr": kind.str, "fortran_order": False, "shape": shape}
                    np.lib.format.write_array_header_2_0(file, head)
                    with (self.folder / name).open("rb") as raw:
                        shutil.copyfileobj(raw, file)
            for name, words in self.names.items():
                with archive.open(f"{name}.npy", "w") as file:
                    np.lib.format.write_array(file, np.array(words), allow_pickle=False)


def to_csv(part: Path, folder: Path) -> Writer:
    """Return a writer of lines."""
    return _Csv(part)


def to_parquet(part: Path, folder: Path) -> Writer:
    """Return a writer of pieces that become one table in the end."""
    return _Parquet(part, folder)


def to_npz(part: Path, folder: Path) -> Writer:
    """Return a writer of raw arrays that become one archive in the end."""
    return _Arrays(part, folder)
