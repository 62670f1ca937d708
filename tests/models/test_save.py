"""What is saved comes back with the same bits, and what is not whole is refused without a traceback."""

import json
import shutil

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from fivefold.core.errors import BadInput, Damaged
from fivefold.core.fingerprint import of_json, of_state
from fivefold.learning import Finetune
from fivefold.models import MLP, ConvNet, Int8Linear, ResNet, fresh, load_model, save_model
from fivefold.models.describe import ARGUMENTS, KINDS, describe, rebuild
from fivefold.models.residual import Residual
from seeding import seeded

few = settings(max_examples=60, deadline=None, derandomize=True)


@pytest.fixture(scope="module")
def saved(tmp_path_factory, trained):
    folder = tmp_path_factory.mktemp("saved")
    save_model(trained, folder)
    return folder


def same(a, b, x):
    assert of_state(a.net.state_dict()) == of_state(b.net.state_dict())
    assert torch.equal(a.predict(x), b.predict(x))
    assert (a.task, a.schema, a.architecture, a.lineage) == (
        b.task,
        b.schema,
        b.architecture,
        b.lineage,
    )


@pytest.mark.parametrize("made", [MLP(), ConvNet(width=4), ResNet(width=4)])
def test_images_come_back_with_the_same_bits(made, images, tmp_path):
    model = fresh(made, images, seeded())
    save_model(model, tmp_path)
    state = torch.random.get_rng_state()
    same(load_model(tmp_path), model, images.splits.test.x)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_tables_come_back_and_can_be_trained_on(trained, saved, table):
    found = load_model(saved)
    same(found, trained, table.splits.test.x)
    assert not found.net.training
    step = Finetune(epochs=1)
    again, direct = (step(m, table.splits.seen, rng=seeded()) for m in (found, trained))
    assert torch.equal(again.predict(table.splits.test.x), direct.predict(table.splits.test.x))


def test_int8_and_frozen_weights_come_back(trained, table, tmp_path):
    net = nn.Sequential(*(trained.net.get_submodule(n) for n in ("prepare", "body", "head")))
    net[2] = Int8Linear.from_linear(trained.net.get_submodule("head"))
    net[1].requires_grad_(False)
    model = trained.with_net(net)
    save_model(model, tmp_path)
    found = load_model(tmp_path)
    net[1].requires_grad_(True)
    same(found, model, table.splits.test.x)
    assert not any(p.requires_grad for p in found.net.parameters())


LAYERS = [
    nn.Linear(3, 2, bias=False, device="meta"),
    nn.Conv2d(2, 4, (3, 1), stride=2, padding=(1, 0), groups=2, device="meta"),
    nn.Conv2d(2, 4, 3, padding="same", bias=False, device="meta"),
    nn.BatchNorm2d(3, affine=False),
    nn.GroupNorm(2, 4, eps=1e-3),
    nn.LayerNorm([2, 3], bias=False),
    nn.GELU(approximate="tanh"),
    nn.ReLU(inplace=True),
    nn.MaxPool2d((2, 1), stride=1, ceil_mode=True),
    nn.AdaptiveAvgPool2d((1, 2)),
    nn.Flatten(2),
    Residual(nn.Identity(), nn.Sequential(nn.Identity())),
    Int8Linear(3, 2, bias=False),
]  # fmt: skip


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_every_layer_is_described_whole(layer):
    told = json.loads(json.dumps(describe(layer)))
    state = torch.random.get_rng_state()
    with torch.device("meta"):
        again = rebuild(told)
    assert repr(again) == repr(layer)
    assert describe(again) == describe(layer)
    assert {k: v.shape for k, v in again.state_dict().items()} == {
        k: v.shape for k, v in layer.state_dict().items()
    }
    assert torch.equal(torch.random.get_rng_state(), state)


def test_layers_off_the_list_are_refused_by_name(trained, tmp_path):
    class Mine(nn.Linear):
        pass

    for layer in (nn.Bilinear(2, 2, 2, device="meta"), Mine(2, 2, device="meta")):
        with pytest.raises(BadInput, match=type(layer).__name__):
            save_model(trained.with_net(nn.Sequential(layer)), tmp_path)
    assert not list(tmp_path.iterdir())


@few
@given(st.data())
def test_a_flipped_byte_is_noticed_or_means_nothing(saved, table, trained, tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("flipped")
    shutil.copytree(saved, folder, dirs_exist_ok=True)
    path = folder / data.draw(st.sampled_from(["model.json", "model.safetensors"]))
    told = bytearray(path.read_bytes())
    told[data.draw(st.integers(0, len(told) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(told)
    try:
        found = load_model(folder)
    except Damaged:
        return
    same(found, trained, table.splits.test.x)


@few
@given(st.data())
def test_a_file_cut_short_or_made_longer_is_refused(saved, tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("cut")
    shutil.copytree(saved, folder, dirs_exist_ok=True)
    path = folder / data.draw(st.sampled_from(["model.json", "model.safetensors"]))
    told = path.read_bytes()
    short = told[: data.draw(st.integers(0, len(told) - 3))]
    path.write_bytes(data.draw(st.sampled_from([short, told + b"x"])))
    with pytest.raises(Damaged):
        load_model(folder)


def places(value, at=()):
    """Yield the path to everything inside JSON data."""
    pairs = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in pairs:
        yield (*at, key)
        yield from places(inner, (*at, key))


STRANGE = [
    None,
    True,
    -1,
    2**70,
    1e308,
    "",
    "x",
    [],
    {},
    ["x"],
    {"kind": "os.system"},
    "\ud800",
    [[[]]],
]


def rewritten(saved, folder, change):
    """Copy the model with its JSON changed by somebody who knows how to seal it."""
    shutil.copytree(saved, folder, dirs_exist_ok=True)
    content = json.loads((saved / "model.json").read_text())["content"]
    change(content)
    try:
        sealed = {"content": content, "sha256": of_json(content)}
    except UnicodeEncodeError:
        sealed = {"content": content, "sha256": ""}
    (folder / "model.json").write_text(json.dumps(sealed))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_a_forged_description_never_ends_in_a_traceback(saved, tmp_path_factory, table, data):
    """Deleted keys and strange values, sealed anew: an attacker, not an accident."""
    folder = tmp_path_factory.mktemp("forged")

    def change(content):
        *path, last = data.draw(st.sampled_from(list(places(content))))
        inside = content
        for key in path:
            inside = inside[key]
        if data.draw(st.booleans()):
            del inside[last]
        else:
            inside[last] = data.draw(st.sampled_from(STRANGE))

    rewritten(saved, folder, change)
    try:
        load_model(folder)
    except (Damaged, BadInput):
        return


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ({"kind": "system"}, "no layer 'system'"),
        ({"kind": "Linear", "in_features": 2**40, "out_features": 2**20, "bias": True}, "not what was written"),
        ({"kind": "Linear", "in_features": 2, "out_features": 2, "device": "cuda"}, "no sense"),
        ({"kind": "GroupNorm", "num_groups": 3, "num_channels": 4}, "no sense"),
        ({"kind": "Sequential", "parts": [["a.b", {"kind": "Identity"}]]}, "no sense"),
        ({"kind": "Sequential", "parts": [["0", {"kind": "Identity"}]] * 30_000}, "no sense"),
    ],
)  # fmt: skip
def test_a_forged_network_is_damaged(network, said, saved, tmp_path):
    rewritten(saved, tmp_path, lambda content: content.update(network=network))
    with pytest.raises(Damaged, match=said):
        load_model(tmp_path)


def test_a_network_nested_without_end_is_damaged():
    told = {"kind": "Identity"}
    for _ in range(500):
        told = {"kind": "Sequential", "parts": [["0", told]]}
    with pytest.raises(Damaged, match="too many"):
        rebuild(told)


def test_a_later_format_says_what_to_install(saved, tmp_path):
    rewritten(saved, tmp_path, lambda content: content.update(format=2))
    with pytest.raises(Damaged, match="format 2"):
        load_model(tmp_path)


def test_an_architecture_from_elsewhere_is_not_imported(saved, tmp_path):
    rewritten(saved, tmp_path, lambda content: content["architecture"].update(use="os:system"))
    with pytest.raises(BadInput, match="may not import"):
        load_model(tmp_path)


def test_says_where_there_is_no_model(tmp_path):
    with pytest.raises(BadInput, match=r"no model\.json"):
        load_model(tmp_path)


def test_the_allow_list_names_constructor_arguments():
    assert all(kind.__module__.split(".")[0] in ("torch", "fivefold") for kind in KINDS.values())
    assert set(ARGUMENTS) < set(KINDS.values())
