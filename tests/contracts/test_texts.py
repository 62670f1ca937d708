"""Every probe measures a model of texts or says why not."""

import numpy as np
import pytest
import torch

from fivefold.core.codec import name_of
from fivefold.core.codepoints import encode_texts
from fivefold.core.data import Batch, Seen, Splits
from fivefold.core.errors import NotMeasurable
from fivefold.core.find import find
from fivefold.core.probe import Probe
from fivefold.core.schema import Schema
from fivefold.core.task import Task
from fivefold.models import CallableModel
from seeding import seeded

PILLARS = ("learning", "explanation", "privacy", "generalization", "efficiency", "security")
PROBES = [p for x in PILLARS for p in find(Probe, __import__(f"fivefold.{x}", fromlist=[x]))]
Y = torch.arange(200) % 2
X = encode_texts([f"{'很好 good' if i % 2 else '很差 bad'} {i}" for i in range(200)], 14)
SPLITS = Splits(
    Seen(Batch(X[:120], Y[:120]), Batch(X[120:150], Y[120:150])), Batch(X[150:], Y[150:])
)


def judge(texts):
    return np.array([[0.1, 0.9] if "good" in text else [0.8, 0.2] for text in texts])


@pytest.mark.parametrize("kind", PROBES, ids=name_of)
def test_measures_texts_or_says_why_not(kind):
    schema, task = Schema(shape=(14,), is_text=True), Task(classes=("bad", "good"))
    model = CallableModel(function=judge, task=task, schema=schema, answers="probabilities")
    try:
        assert kind()(model, SPLITS, rng=seeded())
    except NotMeasurable as error:
        assert error.what
