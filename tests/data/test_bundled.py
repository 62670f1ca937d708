"""The data sets that come with scikit-learn, and the claim that their ranges are public."""

from pathlib import Path
from typing import Any

import pytest
import torch
from sklearn import datasets

from fivefold.core.codec import decode, encode
from fivefold.core.data import as_tensor
from fivefold.core.schema import groupings
from fivefold.core.source import Source
from fivefold.data import Bundled, Random
from fivefold.data.bundled import CELL, PATIENT
from seeding import seeded

CANCER: Any = datasets.load_breast_cancer()
DIGITS: Any = datasets.load_digits()
DIABETES: Any = datasets.load_diabetes()


def everything(data) -> tuple[torch.Tensor, torch.Tensor]:
    seen, test = data.splits
    parts = (seen.train, seen.valid, test)
    return torch.cat([p.x for p in parts]), torch.cat([p.y for p in parts])


@pytest.mark.parametrize("name", ["breast_cancer", "digits", "diabetes"])
def test_nothing_is_observed_and_seeds_decide(name):
    data = Bundled(name=name).load(Path(), seeded())
    assert not data.schema.is_observed
    assert data.notes == ()
    assert data.fingerprint == Bundled(name=name).load(Path(), seeded()).fingerprint
    assert data.fingerprint != Bundled(name=name).load(Path(), seeded(1)).fingerprint


def test_columns_are_named_as_scikit_learn_names_them():
    assert list(CELL) == list(CANCER.feature_names)
    assert list(PATIENT) == list(DIABETES.feature_names)


def test_breast_cancer_is_all_there():
    data = Bundled().load(Path(), seeded())
    x, y = everything(data)
    assert sorted(x[:, 0].tolist()) == sorted(torch.tensor(CANCER.data[:, 0]).float().tolist())
    assert data.task.classes == ("malignant", "benign")
    assert y.bincount().tolist() == [212, 357]
    balance = [float((b.y == 0).float().mean()) for b in (data.splits.seen.train, data.splits.test)]
    assert balance == pytest.approx([212 / 569] * 2, abs=0.01)


def test_every_value_lies_in_its_declared_range():
    for name in ("breast_cancer", "diabetes"):
        data = Bundled(name=name).load(Path(), seeded())
        space, (x, _) = data.schema.space(), everything(data)
        assert bool(((x >= space.low) & (x <= space.high)).all())
        numbers = [c for c in data.schema.columns if not c.is_category]
        for c in numbers:
            assert c.low is not None
            assert c.high is not None
            assert (c.center, c.scale) == pytest.approx(((c.low + c.high) / 2, (c.high - c.low) / 4))  # fmt: skip


@pytest.mark.parametrize(("name", "n"), [("breast_cancer", 1), ("diabetes", 2)])
def test_groups_of_every_size_have_members(name, n):
    data = Bundled(name=name).load(Path(), seeded())
    found = groupings(data.schema, as_tensor(data.splits.test.x))
    assert len(found) == n
    assert all(g.member.bincount(minlength=len(g.labels)).min() >= 10 for g in found)


def test_digits_are_images_from_0_to_1():
    data = Bundled(name="digits").load(Path(), seeded())
    x, y = everything(data)
    assert data.schema.shape == (1, 8, 8)
    assert (float(x.min()), float(x.max())) == (0, 1)
    assert y.bincount().tolist() == torch.tensor(DIGITS.target).bincount().tolist()


def test_diabetes_is_a_number():
    data = Bundled(name="diabetes").load(Path(), seeded())
    assert data.task.kind == "regression"
    assert data.task.target == "progression"
    assert everything(data)[1].mean().item() == pytest.approx(DIABETES.target.mean())


def test_a_bundled_source_survives_the_recipe_file():
    source = Bundled(name="digits", split=Random(test=0.3), leaks="keep")
    assert decode(encode(source), Source) == source
