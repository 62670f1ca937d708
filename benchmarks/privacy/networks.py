"""Networks, examples and seeds that both sides build alike."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Case(NamedTuple):
    """A network and a batch for it."""

    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    vocabulary: int = 0


def mlp(width: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10)
    )


def cnn() -> nn.Module:
    layers: list[nn.Module] = []
    for i, (a, b) in enumerate([(3, 32), (32, 32), (32, 64), (64, 64), (64, 128)]):
        layers += [nn.Conv2d(a, b, 3, padding=1), nn.GroupNorm(8, b), nn.ReLU()]
        if i in (1, 3):
            layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10))


class Adapted(nn.Module):
    """A frozen layer and a low-rank one beside it."""

    def __init__(self, n_in: int, n_out: int, rank: int = 8) -> None:
        super().__init__()
        self.base = nn.Linear(n_in, n_out).requires_grad_(False)
        self.down = nn.Linear(n_in, rank, bias=False)
        self.up = nn.Linear(rank, n_out, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + self.up(self.down(x))


class Block(nn.Module):
    def __init__(self, width: int, heads: int, layer: Callable[[int, int], nn.Module]) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = layer(width, 3 * width), layer(width, width)
        self.wide, self.narrow = layer(width, 4 * width), layer(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        size, n, width = x.shape
        qkv = self.qkv(self.before(x)).view(size, n, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(size, n, width)
        x = x + self.out(seen)
        return x + self.narrow(F.gelu(self.wide(self.between(x))))


class Transformer(nn.Module):
    def __init__(
        self,
        vocabulary: int,
        width: int,
        depth: int,
        layer: Callable[[int, int], nn.Module] = nn.Linear,
    ) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.blocks = nn.Sequential(*(Block(width, 4, layer) for _ in range(depth)))
        self.last, self.head = nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.last(self.blocks(self.tokens(x))).mean(1))


def lora() -> nn.Module:
    net = Transformer(5000, 128, 4, Adapted)
    for name, weight in net.named_parameters():
        weight.requires_grad_("down" in name or "up" in name)
    return net


CASES = {
    "MLP 64-256-256-10, batch 256": Case(lambda: mlp(256), (256, 64)),
    "MLP 64-1024-1024-10, batch 256": Case(lambda: mlp(1024), (256, 64)),
    "CNN 32x32, batch 64": Case(cnn, (64, 3, 32, 32)),
    "transformer 128 wide, 4 deep, 64 tokens, batch 16": Case(
        lambda: Transformer(5000, 128, 4), (16, 64), 5000
    ),
    "transformer 256 wide, 2 deep, 128 tokens, batch 8": Case(
        lambda: Transformer(20000, 256, 2), (8, 128), 20000
    ),
    "LoRA in a transformer 128 wide, 64 tokens, batch 16": Case(lora, (16, 64), 5000),
}


def built(name: str) -> tuple[nn.Module, Tensor, Tensor]:
    """Return the network of a case, inputs and targets; the same in every process."""
    case, own = CASES[name], torch.Generator().manual_seed(0)
    net = case.make().train()
    with torch.no_grad():
        for place, weight in net.named_parameters():
            if weight.dim() > 1:
                weight.normal_(0, weight[0].numel() ** -0.5, generator=own)
            elif place.endswith("bias"):
                weight.zero_()
    draw = torch.randint if case.vocabulary else torch.randn
    x = draw(*([case.vocabulary] if case.vocabulary else []), case.shape, generator=own)
    return net, x, torch.randint(10, case.shape[:1], generator=own)
