import pytest
from torch import nn

from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Evidence
from fivefold.core.lineage import claim_of
from fivefold.efficiency import Quantize, Size
from fivefold.efficiency.quantize import quantized
from fivefold.learning import Finetune
from fivefold.models import MLP, TorchModel, fresh
from fivefold.models.int8 import Int8Linear
from fivefold.training.optimizer import AdamW
from seeding import seeded


@pytest.fixture(scope="module")
def wide(table):
    start = fresh(MLP(hidden=(256, 256)), table, seeded())
    step = Finetune(epochs=5, optimizer=AdamW(lr=0.003))
    model = step(start, table.splits.seen, rng=seeded())
    assert isinstance(model, TorchModel)
    return model


def test_answers_stay_and_bytes_shrink_to_a_quarter(wide, table):
    small = Quantize()(wide, table.splits.seen, rng=seeded())
    x = table.splits.test.x
    assert (small.predict(x).argmax(-1) == wide.predict(x).argmax(-1)).float().mean() >= 0.97
    assert (small.predict(x) - wide.predict(x)).abs().max() < 0.1 * wide.predict(x).abs().max()
    before, after = (
        {f.name: f.value for f in Size()(m, table.splits, rng=seeded()) if isinstance(f, Evidence)}
        for m in (wide, small)
    )
    assert 0.25 <= after["saved_bytes"] / before["saved_bytes"] < 0.29
    assert after["parameters"] == before["parameters"]
    assert before["int8_share"] == 0
    assert after["int8_share"] > 0.9


def test_gradients_reach_the_inputs(wide, table):
    small = Quantize()(wide, table.splits.seen, rng=seeded())
    x = table.splits.test.x.clone().requires_grad_()
    small.net(x).logsumexp(-1).sum().backward()
    assert x.grad is not None
    assert (x.grad.abs().sum(0) > 0).all()


def test_needs_no_data():
    assert not claim_of(Quantize(), 10).reads_data


def test_convolutions_stay_float():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 3))
    small = quantized(net)
    assert [type(layer) for layer in small.children()] == [nn.Conv2d, nn.Flatten, Int8Linear]
    assert isinstance(list(net.children())[2], nn.Linear)


def test_layers_in_any_depth_and_alone_are_found():
    inner = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    deep = quantized(nn.Sequential(nn.Sequential(inner), nn.Linear(3, 2)))
    assert sum(isinstance(m, Int8Linear) for m in deep.modules()) == 2
    assert isinstance(quantized(nn.Linear(3, 2)), Int8Linear)


def test_nothing_to_quantize_is_said(wide, table):
    with pytest.raises(NotMeasurable, match="no linear layer"):
        quantized(nn.Conv2d(1, 1, 1))
    small = Quantize()(wide, table.splits.seen, rng=seeded())
    with pytest.raises(NotMeasurable, match="already"):
        Quantize()(small, table.splits.seen, rng=seeded())
