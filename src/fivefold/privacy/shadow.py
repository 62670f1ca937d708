"""Shadow models (Shokri et al., 2017): the same kind of network, trained on known halves of the data."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor, nn

from fivefold.core import progress
from fivefold.core.data import Batch, Seen
from fivefold.core.errors import NotMeasurable
from fivefold.core.loss import Loss, loss_of
from fivefold.core.model import Embeds, HasArchitecture, HasNet, Model
from fivefold.core.randomness import spawn
from fivefold.core.step import Step
from fivefold.models.torch import batched
from fivefold.training.optimizer import Optimizer
from fivefold.training.together import APART_LARGE, train_apart, train_together, why_not_together

MOST_STACKED = (
    2**25
)  # weights that are trained at once; gradients and moments take three times more


class Told(NamedTuple):
    """What each shadow answers for every row, and why they were not trained as one, if they were not."""

    output: Float[Tensor, "shadow row output"]
    why_apart: str


class Trained(NamedTuple):
    """The shadows themselves, and why they were not trained as one, if they were not."""

    models: list[Model]
    why_apart: str


@dataclass(frozen=True, kw_only=True)
class Shadows:
    """How shadow models are trained.

    Attributes:
        epochs: Passes over each one's half.
        size: Examples per batch.
        optimizer: How weights move; AdamW and SGD train all shadows together, others one by one.
        step: If given, trains each shadow instead, one after another.
        keeps_trunk: Whether shadows read the attacked model's last features, made once for all rows, and
            train a head alone.
    """

    epochs: int
    size: int
    optimizer: Optimizer
    step: Step | None = None
    keeps_trunk: bool = False

    def outputs(
        self,
        model: HasArchitecture,
        pool: Batch,
        inside: Bool[Tensor, "shadow row"],
        rng: Generator,
    ) -> Told:
        """Return what each shadow, trained on the rows where it is `inside`, answers for every row.

        Raises:
            NotMeasurable: The trunk is to be kept, and the network has none.
        """
        nets = _fresh(model, len(inside), rng)
        if self.step is not None:
            grown = _by_step(self.step, model, nets, pool, inside, rng)
            return Told(torch.stack([one.predict(pool.x).double() for one in grown]), "")
        if self.keeps_trunk:
            pool, nets = _heads(model, pool, nets)
        why = self._train(nets, pool, inside, loss_of(model.task), rng)
        with torch.no_grad():
            return Told(torch.stack([batched(net, pool.x).double() for net in nets]), why)

    def models(
        self,
        model: HasArchitecture,
        pool: Batch,
        inside: Bool[Tensor, "shadow row"],
        rng: Generator,
    ) -> Trained:
        """Return each shadow, trained on the rows where it is `inside`; all are in memory at once."""
        assert not self.keeps_trunk, "a head alone is no model"
        nets = _fresh(model, len(inside), rng)
        if self.step is not None:
            return Trained(list(_by_step(self.step, model, nets, pool, inside, rng)), "")
        why = self._train(nets, pool, inside, loss_of(model.task), rng)
        return Trained([model.with_net(net) for net in nets], why)

    def _train(
        self,
        nets: list[nn.Module],
        pool: Batch,
        inside: Bool[Tensor, "shadow row"],
        loss: Loss,
        rng: Generator,
    ) -> str:
        """Train `nets` in place, as many at once as memory allows; return why not, if one by one."""
        table = batch_table(inside, self.size, self.epochs, rng)
        n_weights = sum(w.numel() for w in nets[0].parameters())
        group = max(1, MOST_STACKED // max(n_weights, 1))
        why = APART_LARGE if group == 1 else why_not_together(nets, pool, self.optimizer)
        if why:
            train_apart(nets, pool, table, loss, self.optimizer, [spawn(rng) for _ in nets])
            return why
        for i in range(0, len(nets), group):
            part = slice(i, i + group)
            train_together(nets[part], pool, table[:, part], loss, self.optimizer, "shadow models")
        return ""


def _heads(
    model: HasArchitecture, pool: Batch, nets: list[nn.Module]
) -> tuple[Batch, list[nn.Module]]:
    """Return the model's features of all rows, and the fresh heads that will read them."""
    if not (isinstance(model, Embeds) and all(isinstance(net, nn.Sequential) for net in nets)):
        raise NotMeasurable(
            "Shadows can keep the trunk of a network that ends in a head, and a {model} is none.",
            mend="Let them train whole networks (keeps_trunk = false).",
            model=type(model).__name__,
        )
    heads = [net[-1] for net in nets if isinstance(net, nn.Sequential)]
    return Batch(model.embed(pool.x), pool.y), heads


def _fresh(model: HasArchitecture, n: int, rng: Generator) -> list[nn.Module]:
    return [model.architecture.build(model.schema, model.task, spawn(rng)) for _ in range(n)]


def _by_step(
    step: Step,
    model: HasNet,
    nets: list[nn.Module],
    pool: Batch,
    inside: Bool[Tensor, "shadow row"],
    rng: Generator,
) -> Iterator[Model]:
    for net, mine in progress.track(list(zip(nets, inside, strict=True)), "shadow models"):
        seen = Seen(pool.take(mine.nonzero()[:, 0]), pool.take(slice(0, 0)))
        yield step(model.with_net(net), seen, rng=spawn(rng))


def halves(n_rows: int, n_shadows: int, rng: Generator) -> Bool[Tensor, "shadow row"]:
    """Return who is in which shadow's half: shadows come in pairs that share out all rows.

    So each row is inside exactly half of the shadows.
    """
    inside = torch.zeros(n_shadows, n_rows, dtype=torch.bool)
    for i in range(0, n_shadows, 2):
        inside[i, torch.randperm(n_rows, generator=rng)[: n_rows // 2]] = True
        inside[i + 1] = ~inside[i]
    return inside


def batch_table(
    inside: Bool[Tensor, "shadow row"], size: int, epochs: int, rng: Generator
) -> Int[Tensor, "step shadow size"]:
    """Return the rows of each batch of each shadow; the last batch of an epoch borrows from its start."""
    least = int(inside.sum(1).min())
    size = min(size, least)
    steps = -(-least // size)
    own = [mine.nonzero()[:, 0] for mine in inside]
    passes: list[Tensor] = []
    for _ in range(epochs):
        order = [o[torch.randperm(len(o), generator=rng)] for o in own]
        wrapped = torch.stack([torch.cat([o, o])[: steps * size] for o in order])
        passes.append(wrapped.view(len(own), steps, size).transpose(0, 1))
    return torch.cat(passes)
