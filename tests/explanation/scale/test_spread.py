from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from games import of_columns
from torch import Tensor

from fivefold.core.data import Batch
from fivefold.core.errors import BadInput, MissingExtra
from fivefold.core.progress import heard_by
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.explanation import (
    LIME,
    Attribution,
    ExactShapley,
    Explainer,
    InputXGradient,
    IntegratedGradients,
    LeverageSHAP,
    Occlusion,
    explain,
)
from fivefold.explanation.scale import Scale, explain_all, explain_to
from seeding import seeded

ALONE = (
    ExactShapley(),
    LeverageSHAP(budget=40, draws=2),
    LIME(),
    IntegratedGradients(),
    InputXGradient(),
    Occlusion(),
)


def values(found: list[Attribution]) -> Tensor:
    return torch.cat([f.values for f in found])


def streamed(
    model, rows, background, explainer: Explainer = LeverageSHAP(budget=40, draws=2), **scale: Any
) -> list[Attribution]:
    return list(
        explain_all(model, rows, background, explainer, rng=seeded(3), scale=Scale(**scale))
    )


@pytest.mark.parametrize("explainer", ALONE, ids=lambda e: type(e).__name__)
def test_the_size_of_the_blocks_changes_no_number(explainer, trained, table):
    x, background = table.splits.test.x[:23], table.splits.seen.train.x[:12]
    whole = streamed(trained, x, background, explainer, size=100)
    assert len(whole) == 1
    for size in (1, 7, 23):
        parts = streamed(trained, x, background, explainer, size=size)
        assert len(parts) == -(-23 // size)
        assert torch.allclose(values(parts), values(whole), atol=1e-5)
        kept = [p.error for p in parts if p.error is not None]
        assert len(kept) == (0 if whole[0].error is None else len(parts))
        if whole[0].error is not None:
            assert torch.allclose(torch.cat(kept), whole[0].error, atol=1e-5)


def test_it_says_what_explain_says(trained, table):
    x, background = table.splits.test.x[:9], table.splits.seen.train.x[:12]
    [found] = list(explain_all(trained, x, background, rng=seeded()))
    wanted = explain(trained, x, background, rng=seeded())
    assert torch.equal(found.values, wanted.values)
    assert found.method == wanted.method
    assert str(found.reason) == str(wanted.reason)
    assert found.x is not None
    assert torch.equal(found.x, x)


def test_rows_come_in_any_way(trained, table):
    x, background = table.splits.test.x[:23], table.splits.seen.train.x[:12]
    wanted = values(streamed(trained, x, background, size=5))
    batch = Batch(x, torch.zeros(23))
    pieces = (x[i : i + 4] for i in range(0, 23, 4))
    batches = [
        Batch(x[:1], torch.zeros(1)),
        Batch(x[1:1], torch.zeros(0)),
        Batch(x[1:], torch.zeros(22)),
    ]
    for rows in (batch, pieces, batches):
        found = streamed(trained, rows, background, size=5)
        assert [len(f.values) for f in found] == [5, 5, 5, 5, 3]
        assert torch.equal(values(found), wanted)


def test_an_endless_source_is_read_only_as_far_as_asked(trained, table):
    read = []

    def rows():
        while True:
            read.append(1)
            yield table.splits.test.x[:8]

    found = explain_all(
        trained, rows(), table.splits.seen.train.x[:5], "exact", rng=seeded(), scale=Scale(size=8)
    )
    for _ in range(3):
        assert len(next(found).values) == 8
    assert len(read) <= 4


def test_progress_is_told_block_by_block(trained, table):
    class Ear:
        def __init__(self) -> None:
            self.told: list[object] = []

        def start(self, label: str, total: int | None) -> int:
            self.told.append((label, total))
            return 0

        def advance(self, handle: int) -> None:
            self.told.append("block")

        def scalar(self, label: str, value: float, index: int) -> None: ...

        def stop(self, handle: int) -> None:
            self.told.append("end")

    with heard_by(ear := Ear()):
        streamed(
            trained, table.splits.test.x[:10], table.splits.seen.train.x[:5], ExactShapley(), size=4
        )
    assert ear.told == [("explain", 3), "block", "block", "block", "end"]


COLUMNS = (
    Column(name="age", kind="integer"),
    Column(name="home", kind="category", categories=("rent", "own")),
    Column(name="income", is_optional=True),
)


@pytest.fixture
def homes():
    def answer(x):
        score = x[:, 0] / 10 + x[:, 1] + x[:, 2].nan_to_num(3.0)
        return torch.stack([-score, score], 1)

    made = of_columns(1, answer)
    return type(made)(answer, Schema(columns=COLUMNS, shape=(3,)), Task(classes=("no", "yes")))


X = torch.tensor([[30.0, 0.0, 1.5], [41.0, 1.0, torch.nan], [52.0, 1.0, -2.0]])
FRAME = pl.DataFrame(
    {
        "income": [1.5, None, -2.0],
        "home": ["rent", "own", "own"],
        "age": [30, 41, 52],
        "name": list("abc"),
    }
)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_rows_of_a_file_are_read_as_the_schema_has_them(ending, homes, tmp_path):
    path = tmp_path / f"rows{ending}"
    FRAME.write_csv(path) if ending == ".csv" else FRAME.write_parquet(path)
    wanted = streamed(homes, X, X, ExactShapley(), size=2)
    found = streamed(homes, path, X, ExactShapley(), size=2)
    assert torch.equal(values(found), values(wanted))


@pytest.mark.parametrize(
    ("written", "wrong"),
    [
        ("age,home\n30,rent\n", "no column income"),
        ("age,home,income\n30,boat,1\n", "not a category"),
        ("age,home,income\n30,rent\n", "2 values"),
        ("age,home,income\n", "no rows"),
        ("age,home,income,age\n30,rent,1,2\n", "Two columns"),
        ("age,home,income\n30,rent,much\n", "much"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(written, wrong, homes, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(written)
    with pytest.raises(BadInput, match=wrong):
        streamed(homes, path, X)


def test_a_file_that_is_not_there_or_of_another_kind_is_refused(homes, tmp_path):
    (tmp_path / "rows.parquet").write_bytes(b"PAR1 no")
    for name in ("none.csv", "rows.parquet", "rows.xlsx"):
        with pytest.raises(BadInput, match="cannot be read"):
            streamed(homes, tmp_path / name, X)


def test_other_shapes_and_no_rows_are_refused(trained, table):
    x = table.splits.test.x
    with pytest.raises(BadInput, match="shape"):
        streamed(trained, x[:, :3], x)
    with pytest.raises(BadInput, match="no rows"):
        streamed(trained, iter([]), x)


def test_without_ray_the_extra_is_named(trained, table):
    x = table.splits.test.x[:4]
    with pytest.raises(MissingExtra, match="scale"):
        explain_all(trained, x, x, "exact", rng=seeded(), scale=Scale(backend="ray"))


def test_arrays_in_a_file_are_those_of_the_blocks(trained, table, tmp_path):
    x, background = table.splits.test.x[:11], table.splits.seen.train.x[:12]
    found = streamed(trained, x, background, size=4)
    told = explain_to(
        tmp_path / "new" / "found.npz", trained, x, background, LeverageSHAP(budget=40, draws=2),
        rng=seeded(3), scale=Scale(size=4),
    )  # fmt: skip
    with np.load(told.path, allow_pickle=False) as kept:
        assert np.array_equal(kept["values"], values(found).numpy())
        assert np.array_equal(kept["x"], x.numpy())
        assert kept["features"].tolist() == list(table.schema.names())
        assert kept["error"].shape == kept["values"].shape
    assert told.n_rows == 11
    assert told.n_evaluations == sum(f.n_evaluations for f in found)
    assert told.n_unsure == sum(int((~f.is_converged).sum()) for f in found)
    assert [p.name for p in told.path.parent.iterdir()] == ["found.npz"]


def test_tables_in_files_number_the_rows_throughout(homes, tmp_path):
    rows = X.repeat(3, 1)
    for ending, read in ((".csv", pl.read_csv), (".parquet", pl.read_parquet)):
        path = tmp_path / f"found{ending}"
        explain_to(path, homes, rows, X, "exact", rng=seeded(), scale=Scale(size=4))
        kept = read(path)
        assert kept["row"].unique().sort().to_list() == list(range(9))
        wanted = explain(homes, rows, X, "exact", rng=seeded()).to_frame()
        assert isinstance(wanted, pl.DataFrame)
        assert np.allclose(kept["attribution"].to_numpy(), wanted["attribution"].to_numpy())
        assert kept.columns == wanted.columns


def test_a_run_that_fails_leaves_the_old_file(homes, tmp_path):
    path = tmp_path / "found.csv"
    path.write_text("old")

    def rows():
        yield X
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="gone"):
        explain_to(path, homes, rows(), X, "exact", rng=seeded(), scale=Scale(size=3))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_of_another_kind_is_refused_before_anything_runs(homes, tmp_path):
    with pytest.raises(BadInput, match="xlsx"):
        explain_to(tmp_path / "found.xlsx", homes, X, X, "exact", rng=seeded())
    assert list(Path(tmp_path).iterdir()) == []
