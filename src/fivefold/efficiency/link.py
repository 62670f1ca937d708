"""Hidden units of a network: what makes them, what acts on them one by one, what reads them."""

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from torch import nn

from fivefold.core.errors import NotMeasurable
from fivefold.models.residual import Residual

Weighted: TypeAlias = nn.Linear | nn.Conv2d
Norm: TypeAlias = nn.BatchNorm1d | nn.BatchNorm2d | nn.GroupNorm

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm)
UNITWISE = (  # each unit passes alone
    nn.Identity, nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Mish, nn.Tanh, nn.Sigmoid,
    nn.Softplus, nn.Hardswish, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool2d, nn.Flatten,
)  # fmt: skip


class Link(NamedTuple):
    """One layer of hidden units.

    A unit is an output of a linear layer or a channel of a convolution. After a `Flatten` the reader
    has several inputs for each channel, its positions, one after another.
    """

    maker: Weighted
    between: tuple[nn.Module, ...]
    reader: Weighted

    @property
    def width(self) -> int:
        """Number of units."""
        return len(self.maker.weight)

    @property
    def norms(self) -> tuple[Norm, ...]:
        """The normalisations among `between`."""
        return tuple(m for m in self.between if isinstance(m, NORMS))

    @property
    def together(self) -> int:
        """How many neighbours stay or go together, because they are normalised together."""
        sizes = [m.num_channels // m.num_groups for m in self.norms if isinstance(m, nn.GroupNorm)]
        return max(sizes, default=1)


def links(net: nn.Module) -> list[Link]:
    """Return the hidden layers of `net` whose units can be taken out, in order.

    Raises:
        NotMeasurable: There are none, or it holds a part through which units cannot be followed.
    """
    _refuse_shared(net)
    found = list(_links(net))
    if not found:
        raise _unknown(net, "no two linear layers or convolutions follow one another")
    for link in found:
        _check(link, net)
    return found


def _links(net: nn.Module) -> Iterator[Link]:
    maker: Weighted | None = None
    between: list[nn.Module] = []
    for layer in _leaves(net):
        if isinstance(layer, Residual):  # what goes in and comes out must keep its width
            yield from (*_links(layer.body), *_links(layer.shortcut))
            maker = None
        elif isinstance(layer, nn.Linear | nn.Conv2d) and type(layer) in (nn.Linear, nn.Conv2d):
            if maker is not None:
                yield Link(maker, tuple(between), layer)
            maker, between = layer, []
        else:
            if not isinstance(layer, NORMS) and next(layer.parameters(), None) is not None:
                raise _unknown(net, type(layer).__name__)
            between.append(layer)


def _leaves(net: nn.Module) -> Iterator[nn.Module]:
    if isinstance(net, nn.Sequential):
        for child in net:
            yield from _leaves(child)
    else:
        yield net


def _check(link: Link, net: nn.Module) -> None:
    for layer in link.between:
        if not isinstance(layer, (*UNITWISE, *NORMS)):
            raise _unknown(net, type(layer).__name__)
        if isinstance(layer, nn.Flatten) and (layer.start_dim, layer.end_dim) != (1, -1):
            raise _unknown(net, repr(layer))
    if any(isinstance(m, nn.Conv2d) and m.groups > 1 for m in (link.maker, link.reader)):
        raise _unknown(net, "a convolution in groups")
    if not _fits(link):
        parts = (link.maker, *link.between, link.reader)
        raise _unknown(net, ", ".join(type(m).__name__ for m in parts))


def _fits(link: Link) -> bool:
    inputs, is_flat = link.reader.weight.shape[1], isinstance(link.reader, nn.Linear)
    if any(isinstance(m, nn.GroupNorm) and m.num_channels != link.width for m in link.norms):
        return False
    if isinstance(link.maker, nn.Conv2d) and is_flat:
        return any(isinstance(m, nn.Flatten) for m in link.between) and inputs % link.width == 0
    return isinstance(link.maker, nn.Linear) == is_flat and inputs == link.width


def _refuse_shared(net: nn.Module) -> None:
    every = [p for _, p in net.named_parameters(remove_duplicate=False)]
    layers = [
        m
        for _, m in net.named_modules(remove_duplicate=False)
        if isinstance(m, nn.Linear | nn.Conv2d)
    ]
    if len(every) != len({id(p) for p in every}) or len(layers) != len({id(m) for m in layers}):
        raise _unknown(net, "weights that are used twice")


def _unknown(net: nn.Module, part: str) -> NotMeasurable:
    return NotMeasurable(
        "Prune cannot follow the units of this {net} through it: {part}.",
        mend=(
            "It knows Sequential networks of linear layers and convolutions with pooling, activations, "
            "batch and group normalisation between them, and residual blocks; use efficiency.Distill for others, and prune "
            "before quantizing."
        ),
        net=type(net).__name__,
        part=part,
    )
