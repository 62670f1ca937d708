"""Train on the worst input near each example (Madry et al., 2018, "Towards Deep Learning Models Resistant")."""

from copy import deepcopy
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from fivefold.core.data import Batch, Seen, as_tensor, shuffled
from fivefold.core.limits import Count, NonNegative, Share
from fivefold.core.loss import Forward, Loss, loss_of
from fivefold.core.model import Model, with_net
from fivefold.core.randomness import fresh_seed
from fivefold.core.schema import Space
from fivefold.core.step import Step
from fivefold.generalization.given import tensor_of
from fivefold.perturb.ball import Norm
from fivefold.perturb.gradient_attack import pgd
from fivefold.training.fit import fit
from fivefold.training.optimizer import AdamW, Optimizer


@dataclass(frozen=True, kw_only=True)
class AdversarialTraining(Step):
    """Supervised training in which each example is first moved to where its loss is worst.

    Attributes:
        eps: How far an example may move, in units of the schema (pixels of [0, 1], or a column's scale).
        norm: Which length `eps` bounds.
        attack_steps: Gradient steps of the attack on each batch; one is known to teach a false safety.
        clean_share: Weight of the loss on the untouched examples.
        epochs: Passes over the training split.
        size: Examples per batch.
        optimizer: How weights move.
    """

    eps: NonNegative = 0.1
    norm: Norm = "linf"
    attack_steps: Count = 7
    clean_share: Share = 0.0
    epochs: Count = 20
    size: Count = 64
    optimizer: Optimizer = AdamW()

    def __call__(self, model: Model, seen: Seen, *, rng: Generator) -> Model:
        """Return the trained model."""
        model = with_net(model, self)
        tensor_of(seen.train.x, self)
        net = deepcopy(model.net)
        batches = shuffled(seen.train, self.size, self.epochs, rng)
        loss = self.worst_case(loss_of(model.task), model.schema.space(), fresh_seed(rng))
        fit(net, batches, loss, optimizer=self.optimizer)
        return model.with_net(net)

    def worst_case(self, loss: Loss, space: Space, seed: int) -> Loss:
        """Return `loss` at the worst input that the attack finds, mixed with that of the input itself."""

        def worst(forward: Forward, batch: Batch) -> Float[Tensor, " batch"]:
            if not batch.size:
                return loss(forward, batch)
            value = loss(
                forward, Batch(self._worst_inputs(forward, batch, loss, space, seed), batch.y)
            )
            if not self.clean_share:
                return value
            return self.clean_share * loss(forward, batch) + (1 - self.clean_share) * value

        return worst

    def _worst_inputs(
        self, forward: Forward, batch: Batch, loss: Loss, space: Space, seed: int
    ) -> Float[Tensor, "batch ..."]:
        """Attack the network as it is used: dropout off, running statistics left alone."""
        net = forward if isinstance(forward, nn.Module) and forward.training else None
        if net is not None:
            net.eval()
        rng = _start_of(batch, seed)
        x = pgd(
            forward,
            batch,
            loss,
            space,
            eps=self.eps,
            steps=self.attack_steps,
            norm=self.norm,
            rng=rng,
        )
        if net is not None:
            net.train()
        return x


def _start_of(batch: Batch, seed: int) -> Generator:
    """Return the source of a batch's random starts: it depends on the seed and the batch's bits alone.

    A generator that moves on from batch to batch would start anew where training is resumed.
    """
    bits = as_tensor(batch.x).detach().float().cpu().contiguous().view(torch.int32).flatten().long()
    weight = torch.arange(1, len(bits) + 1)
    return Generator().manual_seed((seed ^ int((bits * weight).sum())) % 2**63)
