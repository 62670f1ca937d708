from copy import deepcopy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from fivefold.models import Int8Linear
from fivefold.models.int8 import has_kernel
from seeding import seeded

few = settings(max_examples=20, deadline=None, derandomize=True)


def linear(inside, out, seed=0, bias=True):
    layer = nn.utils.skip_init(nn.Linear, inside, out, bias=bias)
    assert isinstance(layer, nn.Linear)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.normal_(generator=seeded(seed))
    return layer


def drawn(*shape, seed=1):
    return torch.randn(*shape, generator=seeded(seed))


@few
@given(st.integers(1, 40), st.integers(1, 20), st.integers(1, 9), st.booleans())
def test_agrees_with_dequantising_by_hand(inside, out, n, bias):
    layer = Int8Linear.from_linear(linear(inside, out, bias=bias))
    x = drawn(n, inside)
    steps = 127  # inputs take seven bits
    step = float(x.max().clamp(min=0) - x.min().clamp(max=0)) / steps
    by_hand = x @ (layer.weight.float() * layer.scale[:, None]).T
    by_hand = by_hand if layer.bias is None else by_hand + layer.bias
    allowed = step * layer.dequantised().abs().sum(1) * 0.51 + 1e-4
    assert ((layer(x) - by_hand).abs() <= allowed).all()


@few
@given(st.integers(0, 99))
def test_weights_are_the_nearest_on_their_own_channels_grid(seed):
    given_layer = linear(7, 5, seed)
    layer = Int8Linear.from_linear(given_layer)
    error = (layer.dequantised() - given_layer.weight).abs()
    assert (error <= layer.scale[:, None] * 0.5001).all()
    assert layer.weight.abs().amax(1).tolist() == [127] * 5


def test_attacks_see_the_gradient_of_the_dequantised_layer():
    layer, x = Int8Linear.from_linear(linear(6, 4)), drawn(3, 6).requires_grad_()
    layer(x)[:, 1].sum().backward()
    assert x.grad is not None
    assert torch.allclose(x.grad, layer.dequantised()[1].expand(3, -1))
    with torch.no_grad():
        assert torch.equal(layer(x), layer(x.clone().requires_grad_()).detach())


def test_works_under_vmap_and_grad():
    layer, x = Int8Linear.from_linear(linear(6, 4)), drawn(3, 6)
    each = torch.func.vmap(torch.func.grad(lambda v: layer(v[None]).sum()))(x)
    assert torch.allclose(each, layer.dequantised().sum(0).expand(3, -1), atol=1e-6)
    assert torch.equal(torch.func.vmap(layer)(x), layer(x))


def test_copies_and_loaded_weights_are_packed_anew():
    a, b = Int8Linear.from_linear(linear(6, 4)), Int8Linear.from_linear(linear(6, 4, seed=9))
    x = drawn(3, 6)
    first = a(x)
    copied = deepcopy(a)
    assert torch.equal(copied(x), first)
    a.load_state_dict(b.state_dict())
    assert torch.equal(a(x), b(x))
    assert torch.equal(copied(x), first)
    a.load_state_dict(copied.state_dict(), assign=True)
    assert torch.equal(a(x), first)


def test_holds_a_quarter_of_the_bytes_and_nothing_to_train():
    layer = Int8Linear.from_linear(linear(256, 256, bias=False))
    held = sum(t.numel() * t.element_size() for t in layer.state_dict().values())
    assert held < 0.26 * 256 * 256 * 4
    assert not list(layer.parameters())


@pytest.mark.parametrize("shape", [(0, 6), (2, 3, 6), (6,)])
def test_takes_any_number_of_axes(shape):
    layer, x = Int8Linear.from_linear(linear(6, 4)), drawn(*shape)
    assert layer(x).shape == (*shape[:-1], 4)


def test_without_a_kernel_it_is_the_dequantised_product():
    layer, x = Int8Linear.from_linear(linear(6, 4)).double(), drawn(3, 6).double()
    assert not has_kernel(x)
    assert torch.allclose(layer(x), nn.functional.linear(x, layer.dequantised(), layer.bias))


def test_a_channel_of_zeros_stays_zero():
    empty = linear(6, 4)
    with torch.no_grad():
        empty.weight[2] = 0.0
    layer = Int8Linear.from_linear(empty)
    assert layer.dequantised()[2].tolist() == [0.0] * 6
