"""What ships to compare with: counts of a real model's data, and nothing that points at a person."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from toy_served import toy_model
from watching import rows, seen_of

from fivefold.core.data import Batch, Dataset, Seen
from fivefold.core.errors import Damaged
from fivefold.core.lineage import Claim, Record
from fivefold.core.schema import Column, Schema
from fivefold.deploy.watch import Reference, read_reference, reference_paper
from fivefold.deploy.watch.bins import LEAST
from fivefold.deploy.watch.reference import PICTURE, reference_of, watched
from fivefold.models import TorchModel
from seeding import seeded


def test_of_a_trained_table_model(trained: TorchModel, table: Dataset):
    found = reference_of(trained, table.splits.seen)
    x, valid = table.splits.seen.train.x, table.splits.seen.valid.x
    assert isinstance(x, torch.Tensor)
    assert isinstance(valid, torch.Tensor)
    assert found.n == 250
    assert [b.name for b in found.inputs] == [f"c{i}" for i in range(6)]
    for i, bins in enumerate(found.inputs):
        assert tuple(bins.count(x[:, i].double()).tolist()) == bins.counts
        assert all(c == 0 or c >= LEAST for c in bins.counts)
        own = {f"{v:.6g}" for v in x[:, i].tolist()}
        assert not own & {f"{c:.6g}" for c in bins.cuts}  # no cut is somebody's own value
    assert found.answers is not None
    assert found.confidence is not None
    sure, answers = trained.predict(valid).softmax(1).max(1)
    assert sum(found.answers.counts) == 50
    assert found.answers.count(answers.double()).tolist() == list(found.answers.counts)
    assert found.confidence.mean == pytest.approx(float(sure.mean()), abs=1e-6)


def test_of_pictures_and_of_numbers(trained_images, images, trained_numbers, numbers):
    looks = reference_of(trained_images, images.splits.seen)
    assert tuple(b.name for b in looks.inputs) == PICTURE
    assert looks.answers is None  # only forty rows are left to validate on
    told = reference_of(trained_numbers, numbers.splits.seen)
    assert told.answers is not None
    assert (told.answers.kind, told.confidence) == ("number", None)


def test_a_private_model_gets_none(trained: TorchModel, table: Dataset):
    claim = Claim(privacy={"mechanism": "gaussian"})
    record = Record("private", {}, "f", claim)
    private = replace(trained, lineage=(*trained.lineage, record))
    found = reference_of(private, table.splits.seen)
    assert (found.inputs, found.answers, found.confidence, found.n) == ((), None, None, 0)
    assert "differential privacy" in str(found.reason)
    assert "[" not in json.loads(reference_paper(private, table.splits.seen))["inputs"]


def test_columns_that_name_a_person_are_left_out():
    model = toy_model()
    columns = [*model.schema.columns]
    columns[2] = replace(columns[2], is_personal=True)
    named = replace(model, schema=Schema(columns=tuple(columns), shape=(3,)))
    assert watched(named.schema) == ("dose", "kind")
    found = reference_of(named, seen_of(rows(500)))
    assert [b.name for b in found.inputs] == ["dose", "kind"]
    assert "age" not in reference_paper(named, seen_of(rows(500)))


def test_too_few_rows_and_none_at_all():
    assert "only 40 training rows" in str(reference_of(toy_model(), seen_of(rows(50))).reason)
    assert "not at hand" in reference_paper(toy_model(), None)
    words = Batch(torch.zeros(200, 3, 2, 2), torch.zeros(200).long())
    odd = replace(toy_model(), schema=Schema(shape=(2,)))
    assert "neither columns nor images" in str(reference_of(odd, Seen(words, words)).reason)


def test_it_is_read_back_as_it_was_written(tmp_path: Path):
    seen = seen_of(rows(500))
    (tmp_path / "reference.json").write_text(reference_paper(toy_model(), seen), encoding="utf-8")
    assert read_reference(tmp_path) == reference_of(toy_model(), seen)
    (tmp_path / "reference.json").write_text('{"inputs": [{}]}')
    with pytest.raises(Damaged):
        read_reference(tmp_path)
    assert "no reference" in str(read_reference(tmp_path / "none").reason)


def test_cells_that_do_not_fit_are_refused(tmp_path: Path):
    told = json.loads(reference_paper(toy_model(), seen_of(rows(500, seeded(4)))))
    told["inputs"][0]["cells"] = told["inputs"][0]["cells"][:-1]
    (tmp_path / "reference.json").write_text(json.dumps(told))
    with pytest.raises(Damaged):
        read_reference(tmp_path)


def test_it_holds_no_row(trained: TorchModel, table: Dataset):
    told = reference_paper(trained, table.splits.seen)
    x = table.splits.seen.train.x
    assert isinstance(x, torch.Tensor)
    numbers = {repr(v) for v in x.flatten().tolist()}
    assert not any(n in told for n in numbers if len(n) > 8)
    assert isinstance(Reference(), Reference)


def test_a_rare_category_is_pooled_with_others():
    columns = (Column(name="k", kind="category", categories=("a", "b", "c", "d")),)
    x = torch.cat([torch.full((n,), float(i)) for i, n in enumerate((300, 200, 3, 2))])[:, None]
    model = replace(toy_model(), schema=Schema(columns=columns, shape=(1,)))
    few = Batch(x[:10], torch.zeros(10).long())
    (bins,) = reference_of(model, Seen(Batch(x, torch.zeros(len(x)).long()), few)).inputs
    assert sorted(bins.counts) in ([0, 205, 300], [205, 300])
    assert "others" in bins.names()
