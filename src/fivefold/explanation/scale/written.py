"""Attributions of a whole dataset in one file, which is there when all of it is, or not at all."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from torch import Generator

from fivefold.core.data import Inputs
from fivefold.core.errors import BadInput
from fivefold.core.model import Model
from fivefold.explanation.attribution import Attribution
from fivefold.explanation.explainer import Explainer
from fivefold.explanation.methods import Method
from fivefold.explanation.scale.blocks import Rows
from fivefold.explanation.scale.formats import Writer, to_csv, to_npz, to_parquet
from fivefold.explanation.scale.place import whole_file
from fivefold.explanation.scale.spread import Scale, explain_all

FORMATS: Mapping[str, Callable[[Path, Path], Writer]] = {
    ".csv": to_csv,
    ".parquet": to_parquet,
    ".npz": to_npz,
}


class Written(NamedTuple):
    """What a file holds: its rows, how many have not converged, and what they cost."""

    path: Path
    n_rows: int
    n_unsure: int
    n_evaluations: int


def explain_to(
    path: Path | str,
    model: Model,
    rows: Rows,
    background: Inputs,
    method: Method | Explainer = "auto",
    *,
    rng: Generator,
    scale: Scale = Scale(),
) -> Written:
    """Explain all rows into a file; memory holds a few blocks at a time.

    Args:
        path: Where to write. CSV and Parquet have one line per row, output and feature, with the error
            and the interval; `.npz` has the arrays: values, base, score, error (NaN where nobody estimated
            it), is_converged, x, and the names of features and outputs.
        model: As in `explain_all`, like all that follows.
        rows: The rows.
        background: Ordinary rows that stand for "not known".
        method: Who explains.
        rng: Source of one seed.
        scale: Size of the blocks, and who explains them.

    Raises:
        BadInput: The file's name ends otherwise, or the rows cannot be explained.
    """
    path = Path(path)
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise BadInput(
            "Attributions cannot be written to a {ending} file.",
            where=str(path),
            mend="End its name in .csv, .parquet or .npz.",
            ending=path.suffix or "nameless",
        )
    found = explain_all(model, rows, background, method, rng=rng, scale=scale)
    with whole_file(path) as (part, folder):
        return _write(found, form(part, folder), path)


def _write(found: Iterator[Attribution], writer: Writer, path: Path) -> Written:
    n_rows = n_unsure = n_evaluations = 0
    for block in found:
        writer.add(block, n_rows)
        n_rows += len(block.values)
        n_unsure += int((~block.is_converged).sum())
        n_evaluations += block.n_evaluations
    writer.close()
    return Written(path, n_rows, n_unsure, n_evaluations)
