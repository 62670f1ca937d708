"""Structured pruning by magnitude (Han et al., 2015; Li et al., 2017): whole units, really smaller tensors."""

from copy import deepcopy

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from fivefold.core.errors import FivefoldError
from fivefold.efficiency.link import Link, Norm, Weighted, links
from fivefold.efficiency.width import remaining

TOLERANCE = 1e-5  # times the size of the outputs; what rounding in another order may cost


def importance(link: Link) -> Float[Tensor, " unit"]:
    """Return the L2 norm of the weights into each unit times that of the weights out of it.

    The product, because doubling what goes into a ReLU and halving what comes out changes nothing.
    The factor of a normalisation in between counts too.
    """
    score = link.maker.weight.detach().flatten(1).norm(dim=1)
    for norm in link.norms:
        score = score * _gain(norm).view(link.width, -1).mean(1)
    outgoing = link.reader.weight.detach().transpose(0, 1).reshape(link.width, -1)
    return score * outgoing.norm(dim=1)


def kept(link: Link, share: float) -> Int64[Tensor, " kept"]:
    """Return the units that stay when `share` of them goes, least important first; at least one."""
    groups = importance(link).view(-1, link.together).norm(dim=1)
    order = groups.argsort(descending=True, stable=True)
    chosen = order[: remaining(len(groups), share)].sort().values
    return _spread(chosen, link.width // len(groups))


def mask(link: Link, units: Int64[Tensor, " kept"]) -> None:
    """Make the reader deaf to all but `units`; every tensor keeps its size."""
    weight = link.reader.weight
    deaf = torch.ones(weight.shape[1], dtype=torch.bool, device=weight.device)
    deaf[_spread(units, weight.shape[1] // link.width)] = False
    with torch.no_grad():
        weight[:, deaf] = 0


def shrink(link: Link, units: Int64[Tensor, " kept"]) -> None:
    """Take all but `units` out of every tensor."""
    width = link.width
    for norm in link.norms:
        _shrink_norm(norm, _spread(units, _size(norm) // width))
    inputs = _spread(units, link.reader.weight.shape[1] // width)
    _put(link.reader, "weight", link.reader.weight[:, inputs])
    _put(link.maker, "weight", link.maker.weight[units])
    if link.maker.bias is not None:
        _put(link.maker, "bias", link.maker.bias[units])
    _tell_sizes(link.maker)
    _tell_sizes(link.reader)


def pruned(net: nn.Module, share: float, x: Tensor) -> nn.Module:
    """Return a smaller copy of `net`, shown to answer `x` as the masked one does.

    Raises:
        NotMeasurable: `net` holds a part through which units cannot be followed.
        FivefoldError: The smaller network answers differently; it is not handed out.
    """
    masked, small = deepcopy(net).eval(), deepcopy(net).eval()
    chosen = [kept(link, share) for link in links(net)]
    for a, b, units in zip(links(masked), links(small), chosen, strict=True):
        mask(a, units)
        shrink(b, units)
    verify(masked, small, x)
    return small


@torch.no_grad()
def verify(masked: nn.Module, small: nn.Module, x: Tensor) -> None:
    """Compare two networks on `x`.

    Raises:
        FivefoldError: They differ by more than rounding.
    """
    wanted, given = masked(x), small(x)
    difference = float((wanted - given).abs().max())
    if not difference <= TOLERANCE * max(1.0, float(wanted.abs().max())):
        raise FivefoldError(
            "The pruned network answers differently from the masked one, by {difference}.",
            mend="Leave this network unpruned, and report its architecture.",
            difference=difference,
        )


def _spread(units: Tensor, positions: int) -> Int64[Tensor, " input"]:
    """Return the places that belong to `units`, `positions` each."""
    within = torch.arange(positions, device=units.device)
    return (units[:, None] * positions + within).flatten()


def _size(norm: Norm) -> int:
    return norm.num_channels if isinstance(norm, nn.GroupNorm) else norm.num_features


def _gain(norm: Norm) -> Tensor:
    gain = norm.weight.detach().abs() if norm.affine else torch.ones(_size(norm))
    if isinstance(norm, nn.GroupNorm) or norm.running_var is None:
        return gain
    return gain / (norm.running_var + norm.eps).sqrt()


def _shrink_norm(norm: Norm, places: Tensor) -> None:
    if norm.affine:
        _put(norm, "weight", norm.weight[places])
        _put(norm, "bias", norm.bias[places])
    if isinstance(norm, nn.GroupNorm):
        norm.num_groups = len(places) * norm.num_groups // norm.num_channels
        norm.num_channels = len(places)
        return
    norm.num_features = len(places)
    if norm.running_mean is not None and norm.running_var is not None:
        norm.running_mean = norm.running_mean[places].clone()
        norm.running_var = norm.running_var[places].clone()


def _put(layer: nn.Module, name: str, value: Tensor) -> None:
    """Replace a parameter; a frozen one stays frozen."""
    trains = getattr(layer, name).requires_grad
    setattr(layer, name, nn.Parameter(value.detach().clone(), requires_grad=trains))


def _tell_sizes(layer: Weighted) -> None:
    outputs, inputs = layer.weight.shape[:2]
    if isinstance(layer, nn.Linear):
        layer.out_features, layer.in_features = outputs, inputs
    else:
        layer.out_channels, layer.in_channels = outputs, inputs
