"""Rows that give the update that was seen, found by descent (Zhu et al., 2019; Geiping et al., 2020)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.privacy.inversion.linear import Range
from fivefold.privacy.inversion.update import Client, Update, distance


@dataclass(frozen=True, kw_only=True)
class Matching:
    """How rows are tried.

    Attributes:
        iterations: Steps of descent.
        lr: First step, as a share of the range of each value; it falls to 0.
        smoothness: Weight of the total variation of images (Rudin et al., 1992).
    """

    iterations: int
    lr: float = 0.1
    smoothness: float = 1e-3

    def found(
        self,
        client: Client,
        seen: Update,
        start: Float[Tensor, "client row ..."],
        y: Tensor,
        room: Range,
        image: tuple[int, ...] = (),
    ) -> Float[Tensor, "client row ..."]:
        """Return where descent on the angle between updates ends; every client by itself.

        Args:
            client: How clients train.
            seen: Their updates.
            start: Where descent begins.
            y: The labels, which are taken as known.
            room: Where values may lie.
            image: Channels, height and width if rows are images, else ().
        """
        width = room.high - room.low
        rows = (start - room.low) / width.clamp(min=1e-9)  # every value in [0, 1]
        rows = rows.clamp(0, 1).detach().requires_grad_()
        stepper = torch.optim.Adam([rows], lr=self.lr)
        for i in range(self.iterations):
            tried = room.low + width * rows
            cost = distance(client.updates(tried, y), seen).sum()
            if image:
                cost = cost + self.smoothness * _variation(rows.reshape(*rows.shape[:2], *image))
            (slope,) = torch.autograd.grad(cost, rows)
            rows.grad = slope.sign()  # signed, as in the paper
            stepper.param_groups[0]["lr"] = self.lr * (1 - i / self.iterations)
            stepper.step()
            with torch.no_grad():
                rows.clamp_(0, 1)
        return (room.low + width * rows).detach()


def best_of(
    client: Client, seen: Update, tried: list[Float[Tensor, "client row ..."]], y: Tensor
) -> tuple[Float[Tensor, "client row ..."], Float[Tensor, " client"]]:
    """Return for each client those rows whose update is nearest to the one seen, and how near it is."""
    gap = torch.stack([distance(client.updates(rows, y), seen).detach() for rows in tried])
    least, place = gap.nan_to_num(torch.inf).min(0)
    return torch.stack(tried)[place, torch.arange(len(place))], least


def _variation(images: Float[Tensor, "client row channel height width"]) -> Tensor:
    """Return the mean absolute difference of neighbouring pixels, added up over clients."""
    total = images.new_zeros(())
    for axis in (-1, -2):
        if images.shape[axis] > 1:
            total = total + images.diff(dim=axis).abs().mean() * len(images)
    return total
