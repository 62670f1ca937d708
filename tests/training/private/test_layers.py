"""Every kind of layer tells the gradient of each example as a loop over examples does."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from fivefold.core.data import Batch
from fivefold.training.private import convolved, use
from onebyone import Net, check
from seeding import seeded

quickly = settings(max_examples=6, deadline=None, derandomize=True)
WAYS = {"formed": 0.0, "without forming": 1e12}


@pytest.fixture(params=WAYS, scope="module")
def way(request):
    """Both ways to the norm of a matrix product, whatever the rule would choose."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(use, "TRAFFIC", WAYS[request.param])
        yield


@pytest.fixture(params=[0, 10**9], ids=["groups", "patches"], scope="module")
def convolving(request):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convolved, "FEW", request.param)
        yield


def numbers(seed, *shape):
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


def batch_of(x, n_classes=3, seed=0):
    return Batch(x, torch.randint(n_classes, (len(x),), generator=seeded(seed)))


def filled(net, seed):
    own = seeded(seed)
    with torch.no_grad():
        for p in net.double().parameters():
            p.copy_(torch.randn(p.shape, generator=own, dtype=torch.float64) * 0.5)
    return net


@quickly
@given(
    middle=st.lists(st.integers(1, 4), max_size=3), n=st.integers(3, 6), bias=st.booleans(),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_linear_with_any_number_of_axes(way, middle, n, bias, seed):
    net = Net(
        lambda s, x: s.b(torch.tanh(s.a(x)).flatten(1, -2).sum(1) if middle else torch.tanh(s.a(x))),
        a=nn.Linear(4, 5, bias=bias), b=nn.Linear(5, 3, bias=bias),
    )  # fmt: skip
    check(filled(net, seed), batch_of(numbers(seed, n, *middle, 4)))


@quickly
@given(
    axes=st.integers(1, 3), kernel=st.integers(1, 3), stride=st.integers(1, 2),
    padding=st.sampled_from([0, 1, 2, "same"]), dilation=st.integers(1, 2),
    groups=st.sampled_from([1, 2, 4]), bias=st.booleans(),
)  # fmt: skip
def test_convolutions(convolving, axes, kernel, stride, padding, dilation, groups, bias):
    make = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[axes - 1]
    layer = make(
        4, 8, kernel, stride=1 if padding == "same" else stride, padding=padding,
        dilation=dilation, groups=groups, bias=bias,
    )  # fmt: skip
    net = Net(lambda s, x: s.b(torch.tanh(s.a(x)).flatten(2).sum(2)), a=layer, b=nn.Linear(8, 3))
    check(filled(net, kernel), batch_of(numbers(axes, 4, 4, *[6, 5, 7][:axes])))


def test_convolution_with_another_number_on_each_axis(convolving):
    layer = nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(0, 1), dilation=(1, 2))
    net = Net(lambda s, x: s.b(torch.tanh(s.a(x)).mean((2, 3))), a=layer, b=nn.Linear(6, 3))
    check(filled(net, 0), batch_of(numbers(0, 5, 4, 9, 8)))


def test_convolution_over_parts_of_an_example(convolving):
    """Patches folded into the batch axis: an example owns several rows."""
    net = Net(
        lambda s, x: s.b(torch.tanh(s.a(x.flatten(0, 1))).mean((2, 3)).unflatten(0, (len(x), 2)).sum(1)),
        a=nn.Conv2d(3, 4, 3), b=nn.Linear(4, 3),
    )  # fmt: skip
    check(filled(net, 0), batch_of(numbers(0, 4, 2, 3, 6, 6)))


def test_gradients_too_large_to_keep_are_made_in_parts(convolving, monkeypatch):
    monkeypatch.setattr(convolved, "MOST_NUMBERS", 200)
    monkeypatch.setattr(use, "MOST_NUMBERS", 1)
    net = Net(lambda s, x: s.b(torch.tanh(s.a(x)).mean((2, 3))), a=nn.Conv2d(4, 6, 3), b=nn.Linear(6, 3))  # fmt: skip
    check(filled(net, 0), batch_of(numbers(0, 5, 4, 6, 6)))


@quickly
@given(
    n=st.integers(3, 7), length=st.integers(1, 7), seed=st.integers(0, 99),
    padding=st.sampled_from([None, 0, -1]),
)  # fmt: skip
def test_embedding(n, length, seed, padding):
    net = Net(
        lambda s, x: s.b(torch.tanh(s.a(x)).sum(1)),
        a=nn.Embedding(6, 4, padding_idx=padding), b=nn.Linear(4, 3),
    )  # fmt: skip
    check(filled(net, seed), batch_of(torch.randint(6, (n, length), generator=seeded(seed))))


@quickly
@given(
    middle=st.lists(st.integers(1, 3), max_size=2), bias=st.booleans(), seed=st.integers(0, 99),
    kind=st.sampled_from(["layer", "rms", "two axes", "no scale"]),
)  # fmt: skip
def test_layer_and_rms_norm(middle, bias, seed, kind):
    layer = {
        "layer": nn.LayerNorm(4, bias=bias), "rms": nn.RMSNorm(4),
        "two axes": nn.LayerNorm([2, 4], bias=bias),
        "no scale": nn.LayerNorm(4, elementwise_affine=False),
    }[kind]  # fmt: skip
    middle = [*middle, 2] if kind == "two axes" else middle
    net = Net(lambda s, x: s.b(s.a(s.c(x))).flatten(1).unflatten(1, (-1, 3)).sum(1), a=layer, b=nn.Linear(4, 3), c=nn.Linear(4, 4))  # fmt: skip
    check(filled(net, seed), batch_of(numbers(seed, 4, *middle, 4)))


@pytest.mark.parametrize(
    "layer",
    [nn.GroupNorm(2, 4), nn.GroupNorm(4, 4), nn.InstanceNorm1d(4, affine=True), nn.PReLU(), nn.PReLU(4)],
    ids=str,
)  # fmt: skip
def test_layers_of_channels(layer):
    net = Net(
        lambda s, x: s.b(torch.tanh(s.a(s.c(x))).mean(2)),
        a=layer, b=nn.Linear(4, 3), c=nn.Conv1d(2, 4, 2),
    )  # fmt: skip
    check(filled(net, 1), batch_of(numbers(1, 5, 2, 6)))


@pytest.mark.parametrize("is_first", [True, False], ids=["batch first", "time first"])
@pytest.mark.parametrize(
    "make", [nn.LSTM, nn.GRU, nn.RNN, lambda *a, **k: nn.RNN(*a, nonlinearity="relu", **k)],
    ids=["lstm", "gru", "rnn", "relu"],
)  # fmt: skip
@pytest.mark.parametrize(
    "form", [{}, {"bias": False}, {"num_layers": 2, "bidirectional": True}], ids=str
)
def test_recurrent(way, make, is_first, form):
    sides = 2 if form.get("bidirectional") else 1

    def run(s, x):
        out, last = s.a(x if is_first else x.transpose(0, 1))
        last = last[0] if isinstance(last, tuple) else last
        return s.b(out.sum(1 if is_first else 0)) + s.c(last[-1])

    net = Net(
        run, a=make(3, 4, batch_first=is_first, **form), b=nn.Linear(4 * sides, 3), c=nn.Linear(4, 3)
    )  # fmt: skip
    check(filled(net, 2), batch_of(numbers(2, 4, 5, 3)))


@pytest.mark.parametrize("options", [{}, {"bias": False}, {"add_bias_kv": True}, {"kdim": 3, "vdim": 3}], ids=str)  # fmt: skip
@pytest.mark.parametrize("is_first", [True, False], ids=["batch first", "time first"])
@pytest.mark.parametrize("kind", ["self", "cross"])
@pytest.mark.parametrize("length", [4, 6])
def test_attention(options, is_first, kind, length):
    """Also where there are as many tokens as examples, and nothing but the layout tells them apart."""

    def run(s, x):
        q, k = x, x[:, :3] if kind == "cross" else x
        k = k[..., :3] if "kdim" in options else k
        q, k = (q, k) if is_first else (q.transpose(0, 1), k.transpose(0, 1))
        return s.b(
            s.a(q, k, k if kind == "cross" or "kdim" in options else q)[0].sum(int(is_first))
        )

    net = Net(
        run, a=nn.MultiheadAttention(4, 2, batch_first=is_first, **options), b=nn.Linear(4, 3)
    )
    check(filled(net, 3), batch_of(numbers(3, 6, length, 4)))


WEIGHTS = {
    "class token": ((1, 1, 4), lambda w, x: torch.cat([w.expand(len(x), -1, -1), x], 1)),
    "repeated": ((1, 1, 4), lambda w, x: torch.cat([w.repeat(len(x), 1, 1), x], 1)),
    "positions": ((9, 4), lambda w, x: x + w[: x.shape[1]]),
    "as many positions as examples": ((6, 4), lambda w, x: x + w),
    "positions with an axis": ((1, 9, 4), lambda w, x: x + w[:, :6]),
    "scale": ((4,), lambda w, x: torch.tanh(x) * w),
    "scale from the left": ((4,), lambda w, x: w / (2 + x.tanh())),
    "one number": ((), lambda w, x: x * w.exp()),
    "in place": ((4,), lambda w, x: x.clone().add_(w)),
    "mask token": ((4,), lambda w, x: torch.where(x > 0, x, w)),
    "matrix": ((4, 4), lambda w, x: x @ w),
    "turned matrix": ((4, 4), lambda w, x: x @ w.T),
    "made of itself": ((4, 4), lambda w, x: x @ (w - w.T).matrix_exp()),
    "used twice": ((4, 4), lambda w, x: (x @ w).tanh() @ w.T),
    "table": ((3, 4), lambda w, x: x + w[(x[..., 0] > 0).long()]),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_bare_weights(name):
    shape, run = WEIGHTS[name]
    net = Net(
        lambda s, x: s.b(s.c(run(s.w, s.a(x))).sum(1)),
        w=nn.Parameter(torch.zeros(shape)), a=nn.Linear(4, 4), b=nn.Linear(4, 3), c=nn.LayerNorm(4),
    )  # fmt: skip
    check(filled(net, 4), batch_of(numbers(4, 6, 6, 4)))


@pytest.mark.parametrize("dtype, rel", [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
def test_narrower_numbers(way, dtype, rel):
    net = Net(
        lambda s, x: s.c(s.b(torch.tanh(s.a(x)))).sum(1).float(),
        a=nn.Linear(8, 8), b=nn.LayerNorm(8), c=nn.Linear(8, 3),
    )  # fmt: skip
    net = filled(net, 5).to(dtype)
    check(net, batch_of(numbers(5, 5, 4, 8).to(dtype)), rel=rel)
