"""The probes of trust on a table with categories and missing values, and for a number as well as a class."""

from typing import Any

import pytest
import torch

from fivefold.core.data import Batch, Seen, Splits
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.explanation import (
    AttributionDrift,
    Completeness,
    Faithfulness,
    FaithfulnessCorrelation,
    Infidelity,
    LeverageSHAP,
    ParameterRandomisation,
)
from fivefold.models import MLP, TorchModel
from seeding import seeded

SCHEMA = Schema(
    columns=(
        Column(name="kind", kind="category", categories=("a", "b", "c")),
        Column(name="seen", is_optional=True),
        Column(name="size"),
    ),
    shape=(3,),
)
QUICK = LeverageSHAP(budget=64, draws=1)


@pytest.fixture(scope="module")
def splits() -> Splits:
    x = torch.randn(80, 3, generator=seeded(1))
    x[:, 0] = torch.randint(3, (80,), generator=seeded(2)).float()
    x[::3, 1] = torch.nan
    one, other = Batch(x[:50], torch.zeros(50)), Batch(x[50:], torch.zeros(30))
    return Splits(Seen(one, other), other)


@pytest.mark.parametrize("task", [Task(classes=("no", "yes")), Task(kind="regression")])
@pytest.mark.parametrize(
    "probe",
    [
        Faithfulness(explainer=QUICK),
        FaithfulnessCorrelation(explainer=QUICK, n_sets=20),
        Infidelity(explainer=QUICK, n_sets=20),
        Completeness(explainer=QUICK),
        ParameterRandomisation(explainer=QUICK),
    ],
    ids=lambda p: type(p).__name__,
)
def test_gaps_and_categories_are_values_like_any_other(probe, task, splits):
    model = TorchModel(MLP().build(SCHEMA, task, seeded()), task, SCHEMA, MLP())
    for found in probe(model, splits, rng=seeded()):
        assert found.low <= found.value <= found.high
        assert found.floor is not None


def test_drift_too(splits):
    task = Task(kind="regression")
    model = TorchModel(MLP().build(SCHEMA, task, seeded()), task, SCHEMA, MLP())
    drift: list[Any] = AttributionDrift(explainer=QUICK)(model, model, splits, rng=seeded())
    for found in drift:
        assert found.value == 1.0
