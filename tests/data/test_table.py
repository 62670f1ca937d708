"""Tables against Python's csv module, and the promises about what is observed and what is declared."""

import csv
import json
import re
import statistics
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fivefold.core.codec import decode, encode
from fivefold.core.data import Dataset
from fivefold.core.errors import BadInput
from fivefold.core.schema import groupings
from fivefold.core.source import Source
from fivefold.data import ByTime, ColumnSpec, Grouped, Random, Stratified, Table, from_frame
from fivefold.data.split import Examples
from seeding import seeded

N = 30
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
GONE = ("", "NA", "?", "nan")


def everything(data: Dataset) -> torch.Tensor:
    """Return the inputs of train, valid and test, one below the other."""
    seen, test = data.splits
    return torch.cat([seen.train.x, seen.valid.x, test.x])  # type: ignore[list-item]


def thirty(values: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(values, min_size=N, max_size=N)


def with_gaps(values: list[str], gaps: list[int]) -> list[str]:
    return [GONE[i % 4] if i in gaps else v for i, v in enumerate(values)]


numbers = thirty(
    st.one_of(
        st.floats(-1e6, 1e6).map(repr),
        st.integers(-99, 99).map(lambda i: f" {i} "),
        st.integers(-99, 99).map(lambda i: f"{i}e-1"),
    )
)
wholes = thirty(st.integers(-10_000, 10_000).map(str))
words = thirty(st.sampled_from(["red", "dark blue", " red", "绿, 浅", 'a "b"', "x\ny"]))
gaps = st.lists(st.integers(0, N - 1), max_size=4)


@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(values=st.tuples(numbers, wholes, words), holes=st.tuples(gaps, gaps, gaps))
def test_a_table_is_what_python_reads(values, holes, tmp_path: Path):
    columns = [with_gaps(v, g) for v, g in zip(values, holes, strict=True)]
    names = ["size, in cm", "count", "colour"]
    with (tmp_path / "t.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*names, "y"])
        writer.writerows([*row, i % 2] for i, row in enumerate(zip(*columns, strict=True)))
    spec = {"colour": ColumnSpec(is_optional=True)}
    table = Table(path="t.csv", target="y", columns=spec, split=Random(), leaks="keep")
    data = table.load(tmp_path, seeded())
    rows = Random().rows(Examples(N), seeded())
    train = set(rows.train.tolist())
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        read = list(csv.DictReader(file))
    order = torch.cat(list(rows)).tolist()
    for i, name in enumerate(names):
        column, x = data.schema.columns[i], everything(data)[:, i].tolist()
        texts = [row[name].strip() for row in read]
        if name == "colour":
            known = sorted({t for j, t in enumerate(texts) if j in train and t not in GONE})
            assert column.categories == tuple(known)
            expected = [known.index(t) if t in known else None for t in texts]
        else:
            assert all(t in GONE or NUMBER.fullmatch(t) for t in texts)
            expected = [None if t in GONE else float(t) for t in texts]
            seen = [v for j, v in enumerate(expected) if j in train and v is not None]
            assert column.kind == ("integer" if name == "count" else column.kind)
            assert (column.low, column.high) == (min(seen), max(seen))
            assert column.center == pytest.approx(statistics.fmean(seen), abs=1e-6)
            assert column.scale == pytest.approx(statistics.pstdev(seen) or 1.0, rel=1e-6)
            assert column.is_optional == (None in expected)
        assert column.is_observed
        for j, value in zip(order, x, strict=True):
            want = expected[j]
            assert (value != value) if want is None else value == float(np.float32(want))


def frame(n: int = 60) -> pl.DataFrame:
    own = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "age": own.integers(18, 90, n),
            "pulse": own.normal(70, 10, n),
            "town": own.choice(["north", "south"], n),
            "clinic": [f"c{i % 7}" for i in range(n)],
            "ill": own.choice(["yes", "no"], n),
        }
    )


def test_every_way_in_gives_the_same_data(tmp_path: Path):
    given_ = frame()
    given_.write_csv(tmp_path / "a.csv")
    given_.write_csv(tmp_path / "a.tsv", separator="\t")
    given_.write_ndjson(tmp_path / "a.jsonl")
    given_.write_parquet(tmp_path / "a.parquet")
    (tmp_path / "b.csv").write_bytes(b"\xef\xbb\xbf" + (tmp_path / "a.csv").read_bytes().replace(b"\n", b"\r\n"))  # fmt: skip
    found = [
        Table(path=name, target="ill").load(tmp_path, seeded())
        for name in ("a.csv", "b.csv", "a.tsv", "a.jsonl", "a.parquet")
    ]
    found.append(from_frame(given_, target="ill", rng=seeded()))
    assert {d.fingerprint for d in found} == {found[0].fingerprint}
    assert found[0].name == "a"
    assert found[0].schema.names() == ("age", "pulse", "town", "clinic")


def test_values_come_back_as_they_were():
    split = ByTime(column="age")
    data = from_frame(frame(), target="ill", rng=seeded(), split=split)
    assert data.schema.names() == ("pulse", "town", "clinic")
    pulse, age = frame()["pulse"].to_list(), frame()["age"].to_list()
    youngest = data.splits.seen.train.size
    first_valid = sorted(age)[youngest]
    expected = [float(np.float32(p)) for p, a in zip(pulse, age, strict=True) if a < first_valid]
    assert everything(data)[:youngest, 0].tolist() == expected


def test_nothing_but_training_rows_is_looked_at():
    first = frame().with_columns(time=pl.int_range(60))
    extreme = first.with_columns(
        pulse=pl.when(pl.col("time") > 40).then(pl.col("pulse") * 100).otherwise("pulse")
    )
    split = ByTime(column="time")
    a, b = (from_frame(f, target="ill", split=split, rng=seeded()) for f in (first, extreme))
    assert a.schema == b.schema
    assert a.fingerprint != b.fingerprint


def test_copies_taken_out_of_train_are_not_observed():
    given_ = frame().with_columns(time=pl.int_range(60))
    twin = given_[59].with_columns(pulse=pl.lit(500.0))
    both = pl.concat([twin.with_columns(time=pl.lit(0, pl.Int64)), given_[1:59], twin])
    data = from_frame(both, target="ill", split=ByTime(column="time"), rng=seeded())
    assert data.schema.columns[1].high is not None
    assert data.schema.columns[1].high < 200
    assert "1 examples were taken out of train" in str(data.notes[0])


def test_declared_ranges_are_public():
    spec = {
        "age": ColumnSpec(low=0, high=120, is_immutable=True),
        "pulse": ColumnSpec(low=0, high=200, center=70, scale=10),
        "town": ColumnSpec(categories=("south", "north")),
    }
    data = from_frame(frame(), target="ill", columns=spec, drop=("clinic",), rng=seeded())
    age, pulse, town = data.schema.columns
    assert (age.low, age.high, age.center, age.scale) == (0, 120, 60, 30)
    assert (pulse.center, pulse.scale) == (70, 10)
    assert town.categories == ("south", "north")
    assert not data.schema.is_observed
    assert data.schema.space().can_move.tolist() == [False, True, False]


@pytest.mark.parametrize(
    "spec", [ColumnSpec(low=0), ColumnSpec(high=200), ColumnSpec(center=70, scale=10)]
)
def test_half_a_declaration_is_still_access_to_data(spec: ColumnSpec):
    data = from_frame(frame(), target="ill", columns={"pulse": spec}, rng=seeded())
    assert data.schema.columns[1].is_observed


def test_that_a_value_may_be_missing_is_learnt_from_the_data_unless_declared():
    gaps = frame().with_columns(age=pl.when(pl.col("age") > 30).then("age"))
    for optional in (None, True):
        spec = {"age": ColumnSpec(low=0, high=120, is_optional=optional)}
        data = from_frame(gaps, target="ill", columns=spec, rng=seeded())
        assert data.schema.columns[0].is_optional
        assert data.schema.columns[0].is_observed == (optional is None)


def test_a_declared_column_may_be_all_missing():
    none = frame().with_columns(age=pl.lit(None, pl.Float64))
    spec = {"age": ColumnSpec(low=0, high=120, is_optional=True)}
    data = from_frame(none, target="ill", columns=spec, rng=seeded())
    assert bool(everything(data)[:, 0].isnan().all())


def test_an_unseen_category_counts_as_missing_where_that_is_allowed():
    late = frame().with_columns(time=pl.int_range(60))
    late = late.with_columns(
        town=pl.when(pl.col("time") == 59).then(pl.lit("west")).otherwise("town")
    )
    spec = {"town": ColumnSpec(is_optional=True)}
    split = ByTime(column="time")
    data = from_frame(late, target="ill", columns=spec, split=split, rng=seeded())
    assert data.schema.columns[2].categories == ("north", "south")
    assert data.splits.test.x[-1, 2].isnan()  # type: ignore[index]
    assert "such as west" in str(data.notes[0])


def test_flags_reach_the_schema_and_make_groups():
    spec = {
        "age": ColumnSpec(is_protected=True, cuts=(40.0, 65.0), monotone=1),
        "town": ColumnSpec(is_protected=True, is_personal=True),
    }
    table = Table(path="t", target="ill", columns=spec, allow_personal=("town",), drop=("clinic",))
    data = table.of(frame(), seeded())
    assert data.schema.columns[0].monotone == 1
    assert data.schema.columns[2].is_personal
    found = groupings(data.schema, everything(data))
    assert [g.labels for g in found] == [("-inf to 40", "40 to 65", "65 to inf"), ("north", "south")]  # fmt: skip


def test_a_constant_column_has_the_scale_one():
    data = from_frame(frame().with_columns(site=pl.lit(7.25)), target="ill", rng=seeded())
    assert data.schema.columns[-1].scale == 1
    assert "site is the same in every training row" in str(data.notes[0])


def test_whole_numbers_that_a_float_cannot_tell_apart_are_noted():
    given_ = frame().with_columns(id=pl.int_range(60) + 2**30)
    data = from_frame(given_, target="ill", rng=seeded())
    assert "different values of id become equal" in str(data.notes[-1])


def test_the_target_is_classes_or_numbers_as_people_expect():
    few = frame().with_columns(grade=pl.int_range(60) % 3, price=pl.col("pulse") * 2)
    yes = from_frame(few, target="ill", rng=seeded()).task
    grade = from_frame(few, target="grade", rng=seeded()).task
    price = from_frame(few, target="price", rng=seeded())
    number = from_frame(few, target="grade", task="regression", rng=seeded())
    boolean = from_frame(few.with_columns(b=pl.col("age") > 40), target="b", rng=seeded()).task
    assert yes.classes == ("no", "yes")
    assert grade.classes == ("0", "1", "2")
    assert boolean.classes == ("false", "true")
    assert price.task.kind == "regression"
    assert any('say task = "classification"' in str(note) for note in price.notes)
    assert number.task.kind == "regression"
    assert number.splits.test.y.dtype == torch.float32


def test_ten_comes_after_two():
    given_ = frame().with_columns(k=pl.int_range(60) % 11)
    assert from_frame(given_, target="k", task="classification", rng=seeded()).task.classes == tuple(map(str, range(11)))  # fmt: skip


def test_declared_classes_keep_their_order():
    table = Table(path="t", target="ill", classes=("yes", "no"))
    data = table.of(frame(), seeded())
    assert data.task.classes == ("yes", "no")
    assert int((data.splits.test.y == 0).sum()) > 0


def test_text_in_a_number_is_a_category_only_if_most_of_it_is_text():
    mixed = ["small", "big", "3"] * 20
    data = from_frame(frame().with_columns(k=pl.Series(mixed)), target="ill", rng=seeded())
    assert data.schema.columns[-1].categories == ("3", "big", "small")
    with pytest.raises(BadInput, match="most values"):
        from_frame(frame().with_columns(k=pl.Series(["1", "2", "x"] * 20)), target="ill", rng=seeded())  # fmt: skip


def test_numbers_can_be_declared_a_category():
    spec = {"age": ColumnSpec(kind="category", is_optional=True)}
    data = from_frame(frame(), target="ill", columns=spec, rng=seeded())
    ages = [int(c) for c in data.schema.columns[0].categories]
    assert all(a < b for a, b in pairwise(ages))


def test_conflicting_labels_and_near_copies_are_noted():
    given_ = frame().with_columns(time=pl.int_range(60))
    odd = given_[59].with_columns(ill=pl.when(pl.col("ill") == "yes").then(pl.lit("no")).otherwise(pl.lit("yes")))  # fmt: skip
    near = given_[58].with_columns(pulse=pl.col("pulse") + 1e-4)
    both = pl.concat([odd.with_columns(time=pl.lit(0, pl.Int64)), near.with_columns(time=pl.lit(1, pl.Int64)), given_[2:]])  # fmt: skip
    data = from_frame(both, target="ill", split=ByTime(column="time"), rng=seeded())
    assert any("1 inputs occur with different targets" in str(note) for note in data.notes)
    assert any("1 examples of valid and test are nearly equal" in str(note) for note in data.notes)


def test_ten_thousand_columns_are_not_too_many():
    wide = pl.DataFrame(np.random.default_rng(0).normal(size=(30, 10_000)), schema=[f"c{i}" for i in range(10_000)])  # fmt: skip
    data = from_frame(wide[:, :9_999].with_columns(y=pl.int_range(30) % 2), target="y", rng=seeded())  # fmt: skip
    assert data.schema.n_features == 9_999


def test_the_fingerprint_sees_values_order_schema_task_and_splits():
    base = Table(path="t", target="ill", drop=("clinic",))
    split = Stratified(valid=0.2)
    variants = [
        base.of(frame(), seeded()),
        base.of(frame(), seeded(1)),
        base.of(frame().reverse(), seeded()),
        replace(base, split=split).of(frame(), seeded()),
        replace(base, classes=("yes", "no")).of(frame(), seeded()),
        replace(base, columns={"age": ColumnSpec(low=0)}).of(frame(), seeded()),
        replace(base, columns={"age": ColumnSpec(is_immutable=True)}).of(frame(), seeded()),
        base.of(frame().with_columns(pulse=pl.col("pulse") + 1), seeded()),
    ]
    assert len({d.fingerprint for d in variants}) == len(variants)
    assert base.of(frame(), seeded()).fingerprint == variants[0].fingerprint


def test_a_table_survives_the_recipe_file():
    table = Table(
        path="a.csv",
        target="ill",
        columns={"age": ColumnSpec(low=0.0, high=120.0, cuts=(40.0,), is_protected=True)},
        classes=("no", "yes"),
        split=Grouped(column="clinic"),
        leaks="error",
    )
    told = json.loads(json.dumps(encode(table)))
    assert decode(told, Source) == table
    assert isinstance(table, Source)


def test_global_randomness_is_left_alone():
    before = torch.random.get_rng_state()
    from_frame(frame(), target="ill", rng=seeded())
    assert torch.equal(torch.random.get_rng_state(), before)
