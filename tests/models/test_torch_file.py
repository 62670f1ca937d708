"""Networks of other people: exactly their weights, their gradients, and nothing guessed."""

import pytest
import torch
from hostile import payload
from safetensors.torch import save_file
from torch import nn

from fivefold.core.errors import BadInput, Damaged
from fivefold.core.model import HasNet
from fivefold.models import open_model


def plain() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2))


def certain() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 2), nn.Softmax(-1))


def single() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 1), nn.Sigmoid(), nn.Flatten(0))


def nothing() -> int:
    return 3


def opened(path, data, factory):
    name = f"{__name__}:{factory.__name__}" if factory else ""
    return open_model(str(path), task=data.task, schema=data.schema, factory=name)


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or _here())


def _here():
    import types

    made = types.ModuleType(__name__)
    made.__dict__.update(globals())
    return made


@pytest.mark.parametrize("factory", [plain, certain, single])
def test_answers_are_the_networks_own_and_gradients_flow(table, factory, tmp_path):
    net, x = factory(), table.splits.test.x.clone().requires_grad_()
    save_file(net.state_dict(), tmp_path / "m.safetensors")
    state = torch.random.get_rng_state()
    model = opened(tmp_path / "m.safetensors", table, factory)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert isinstance(model, HasNet)
    told = model.predict(x.detach()).softmax(-1)
    own = {plain: lambda z: z.softmax(-1), certain: lambda z: z, single: lambda z: torch.stack([1 - z, z], 1)}  # fmt: skip
    assert torch.allclose(told, own[factory](net(x.detach())), atol=1e-6)
    (slope,) = torch.autograd.grad(model.net(x).sum(), x)
    assert slope.isfinite().all()


def test_weights_must_be_exactly_those_of_the_network(table, tmp_path):
    path = tmp_path / "m.safetensors"
    save_file(plain().state_dict() | {"more": torch.ones(1)}, path)
    with pytest.raises(Damaged, match="more"):
        opened(path, table, plain)
    path.write_bytes(payload(tmp_path / "canary"))
    with pytest.raises(Damaged):
        opened(path, table, plain)
    assert not (tmp_path / "canary").exists()
    save_file(plain().state_dict(), path)
    with pytest.raises(BadInput, match="factory"):
        opened(path, table, None)
    with pytest.raises(BadInput, match="not a network"):
        opened(path, table, nothing)
