"""A linear layer of 8-bit integers (Jacob et al., 2018), with a gradient that attacks can use.

Weights are quantised once, symmetrically per output channel; inputs are quantised as they come, over the
whole batch, so the last bits of an answer depend on what else is in the batch.
"""

import warnings
from operator import is_
from typing import Any, NamedTuple, Self

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

LARGEST = 127


class Packed(NamedTuple):
    """Weights in the layout of the processor's kernel, and the tensors they came from."""

    kernel: Any
    sources: tuple[Tensor, ...]
    versions: tuple[int, ...]

    def is_of(self, sources: tuple[Tensor, ...]) -> bool:
        """Whether it was made from `sources` as they are now."""
        same = len(sources) == len(self.sources) and all(map(is_, sources, self.sources))
        return same and self.versions == tuple(t._version for t in sources)


class Int8Linear(nn.Module):
    """A linear layer whose weights are int8 buffers: a quarter of the memory, and no training.

    The answer is that of the integer kernel. Its gradient with respect to the input is that of the
    dequantised layer (the straight-through estimator of Bengio et al., 2013): rounding has no slope, and
    an attack on a masked gradient would call the layer robust when it is not.
    """

    weight: Tensor
    scale: Tensor
    bias: Tensor | None

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        empty = torch.zeros(out_features, in_features, dtype=torch.int8)
        self.register_buffer("weight", empty)
        self.register_buffer("scale", torch.ones(out_features))
        self.register_buffer("bias", torch.zeros(out_features) if bias else None)
        self._packed: Packed | None = None

    @classmethod
    def from_linear(cls, linear: nn.Linear) -> Self:
        """Return the nearest int8 layer to `linear`."""
        state = {k: v.detach().float().clone() for k, v in linear.state_dict().items()}
        made = cls(linear.in_features, linear.out_features, "bias" in state)
        largest = state["weight"].abs().amax(dim=1)
        made.scale = torch.where(largest > 0, largest / LARGEST, torch.ones_like(largest))
        whole = (state["weight"] / made.scale[:, None]).round().clamp(-LARGEST, LARGEST)
        made.weight = whole.to(torch.int8)
        made.bias = state.get("bias")
        return made.train(linear.training)

    def dequantised(self) -> Float[Tensor, "feature_out feature"]:
        """Return the weights as floats."""
        return self.weight.to(self.scale.dtype) * self.scale[:, None]

    def forward(self, x: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch feature_out"]:
        """Return what the integer kernel answers; on devices without one, the dequantised product."""
        if not has_kernel(x):
            return F.linear(x, self.dequantised().to(x.dtype), self.bias)
        return _StraightThrough.apply(x, self)

    def kernel(self, x: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch feature_out"]:
        """Return the true 8-bit answer.

        Inputs take seven bits of the eight: on processors without VNNI the sum of two full products
        overflows 16 bits and the kernel would silently clip it.
        """
        sources = tuple(t for t in (self.weight, self.scale, self.bias) if t is not None)
        if self._packed is None or not self._packed.is_of(sources):
            self._packed = Packed(_pack(self), sources, tuple(t._version for t in sources))
        flat = x.reshape(-1, self.in_features)
        if not len(flat):  # the kernel refuses an empty batch on some processors
            return x.new_zeros(*x.shape[:-1], self.out_features)
        answer = torch.ops.quantized.linear_dynamic(flat, self._packed.kernel, reduce_range=True)
        return answer.reshape(*x.shape[:-1], self.out_features)

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_packed": None}  # made again from the buffers when it is needed


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, layer: Int8Linear) -> Tensor:
        return layer.kernel(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Int8Linear], output: Tensor) -> None:
        ctx.layer = inputs[1]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0] @ ctx.layer.dequantised(), None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[Tensor, int]:
        x, layer = args
        return layer.kernel(x.movedim(in_dims[0] or 0, 0)), 0


def has_kernel(x: Tensor) -> bool:
    """Whether this processor multiplies int8 matrices for inputs like `x`."""
    return (
        x.device.type == "cpu"
        and x.dtype == torch.float32
        and torch.backends.quantized.engine in ("x86", "fbgemm", "onednn")
    )


def _pack(layer: Int8Linear) -> Any:
    zeros = torch.zeros(layer.out_features, dtype=torch.int64)
    with (
        warnings.catch_warnings()
    ):  # torch 2.13 deprecates the type, and has no other int8 kernel this fast
        warnings.filterwarnings("ignore", message=".*quantized tensor creation.*")
        whole = torch.quantize_per_channel(
            layer.dequantised(), layer.scale.double(), zeros, 0, torch.qint8
        )
    return torch.ops.quantized.linear_prepack(whole, layer.bias)
