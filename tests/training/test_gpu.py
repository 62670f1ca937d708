"""The same work where an accelerator is at hand."""

from copy import deepcopy

import pytest
import torch

from fivefold.core.data import shuffled
from fivefold.core.evidence import Evidence
from fivefold.core.loss import cross_entropy
from fivefold.generalization import RobustAccuracy
from fivefold.models.torch import device_of
from fivefold.training.fit import fit
from seeding import seeded

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no accelerator on this machine"),
]


def test_a_network_trains_where_it_lies_and_answers_on_the_cpu(untrained, table):
    answers = []
    for device in ("cpu", "cuda"):
        net = deepcopy(untrained.net).to(device)
        fit(net, shuffled(table.splits.seen.train, 64, 5, seeded()), cross_entropy)
        assert device_of(net).type == device
        answers.append(untrained.with_net(net).predict(table.splits.test.x))
    torch.testing.assert_close(answers[0], answers[1], rtol=1e-3, atol=1e-3)


def test_an_attack_runs_where_the_network_lies(trained, table):
    on_gpu = trained.with_net(deepcopy(trained.net).cuda())
    probe = RobustAccuracy(examples=50, queries=10)
    a, b = (probe(m, table.splits, rng=seeded())[0] for m in (trained, on_gpu))
    assert isinstance(a, Evidence)
    assert isinstance(b, Evidence)
    assert abs(a.value - b.value) <= 0.04
