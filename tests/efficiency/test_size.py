from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Evidence
from fivefold.efficiency import Operations, Prune, Quantize, Size
from fivefold.efficiency.operations import multiply_adds
from fivefold.efficiency.size import n_parameters
from fivefold.models import TorchModel
from fivefold.models.save import WEIGHTS, load_model, save_model
from seeding import seeded

few = settings(max_examples=20, deadline=None, derandomize=True)


@dataclass(frozen=True)
class Box:
    """A model of which only the answers are known."""

    schema: Any = None
    task: Any = None
    lineage: tuple[()] = ()

    def predict(self, x):
        return x

    def with_lineage(self, lineage):
        return self


def evidence(model, splits):
    found = Size()(model, splits, rng=seeded())
    return {f.name: f for f in found if isinstance(f, Evidence)}


def values(model, splits):
    return {name: f.value for name, f in evidence(model, splits).items()}


def test_parameters_are_the_sum_over_layers(trained, table):
    expected = (6 * 16 + 16) + (16 * 2 + 2)
    assert values(trained, table.splits)["parameters"] == expected


def test_bytes_are_those_of_the_saved_file(trained, table, tmp_path):
    save_model(trained, tmp_path)
    file = (tmp_path / WEIGHTS).read_bytes()
    header = 8 + int.from_bytes(file[:8], "little")
    assert values(trained, table.splits)["saved_bytes"] == len(file) - header


def test_a_pruned_model_is_smaller_on_disk_and_comes_back(trained, table, tmp_path):
    small = Prune(share=0.5, epochs=1)(trained, table.splits.seen, rng=seeded())
    assert isinstance(small, TorchModel)
    save_model(small, tmp_path)
    again = load_model(tmp_path)
    x = table.splits.test.x
    assert torch.equal(again.predict(x), small.predict(x))
    assert values(again, table.splits)["parameters"] == (6 * 8 + 8) + (8 * 2 + 2)


def test_statistics_are_saved_but_are_no_parameters():
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    assert n_parameters(net) == 3 * 4 + 4 + 2 * 4


def test_the_chart_adds_up_to_all_bytes(trained, table):
    saved = evidence(trained, table.splits)["saved_bytes"]
    assert saved.chart is not None
    assert sum(int(row["bytes"]) for row in saved.chart.rows) == saved.value


@pytest.mark.parametrize("probe", [Size(), Operations()])
def test_a_black_box_shows_no_weights(probe, table):
    with pytest.raises(NotMeasurable, match="Box"):
        probe(Box(), table.splits, rng=seeded())


def convolved(x, weight, stride):
    """Convolve by loops, counting each multiplication."""
    count = 0
    side = (x.shape[-1] - weight.shape[-1]) // stride + 1
    for out in range(weight.shape[0]):
        for i in range(side):
            for j in range(side):
                patch = x[:, i * stride :, j * stride :][:, : weight.shape[2], : weight.shape[3]]
                count += (patch * weight[out]).numel()
    return count


@few
@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 3), st.integers(1, 2))
def test_operations_are_those_of_the_loops(channels, out, kernel, stride):
    layer, x = nn.Conv2d(channels, out, kernel, stride=stride), torch.rand(channels, 7, 7)
    assert sum(multiply_adds(layer, x[None]).values()) == convolved(x, layer.weight, stride)


def test_operations_of_an_mlp_and_of_its_int8_twin(trained, table):
    small = Quantize()(trained, table.splits.seen, rng=seeded())
    for model in (trained, small):
        (found,) = Operations()(model, table.splits, rng=seeded())
        assert isinstance(found, Evidence)
        assert found.value == 6 * 16 + 16 * 2


def test_no_hook_is_left_behind(trained, table):
    Operations()(trained, table.splits, rng=seeded())
    assert not any(layer._forward_hooks for layer in trained.net.modules())


def test_unknown_work_is_not_guessed():
    with pytest.raises(NotMeasurable, match="GRU"):
        multiply_adds(nn.GRU(2, 2), torch.zeros(1, 2))
