"""Gradient inversion (Zhu et al., 2019; Geiping et al., 2020): can an update be turned back into its rows?"""

from copy import deepcopy
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge
from torch import Generator, Tensor

from fivefold.core import progress
from fivefold.core.data import Batch, Splits
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Axis, Finding
from fivefold.core.limits import Count, NonNegative, Positive
from fivefold.core.loss import loss_of
from fivefold.core.model import HasNet, Model, with_net
from fivefold.core.probe import Probe
from fivefold.core.randomness import spawn
from fivefold.privacy.inversion.evidence import Attacked, evidence_of
from fivefold.privacy.inversion.judge import Kind
from fivefold.privacy.inversion.matching import Matching
from fivefold.privacy.inversion.opened import opened
from fivefold.privacy.inversion.rows import RowAttack
from fivefold.privacy.inversion.sight import Sight, sights_of
from fivefold.privacy.inversion.tokens import TokenAttack, reader_of
from fivefold.privacy.inversion.update import drawn

LEAST_CLIENTS = 2


@dataclass(frozen=True, kw_only=True)
class GradientInversion(Probe):
    """How much of its rows the update of one client gives away.

    Clients of a few training rows each train from the model's weights, as in federated learning without
    secure aggregation, and their updates are attacked. Rows of numbers: the input of a first linear layer
    with a bias follows by division; other rows are tried until they give the same update, from there and
    from chance. Of texts the tokens are named whose embeddings moved. If the last step that read the data was
    private, clipping and noise are its own. An attack that fails proves nothing: a better one may succeed.

    Attributes:
        batch_sizes: Rows of a client; each with the first of `local_steps`.
        local_steps: Steps that a client takes, each over all of its rows; each with the first of
            `batch_sizes`.
        lr: Learning rate of clients.
        n_clients: Clients to attack in each setting.
        iterations: Steps of descent in which rows are tried.
        smoothness: How much smooth images are preferred.
        n_others: Test rows that the attacker knows.
    """

    axis: ClassVar[Axis] = Axis.PRIVACY
    batch_sizes: tuple[Count, ...] = (1, 4)
    local_steps: tuple[Count, ...] = (1, 4)
    lr: Positive = 0.1
    n_clients: Annotated[int, Ge(LEAST_CLIENTS)] = 8
    iterations: Count = 30
    smoothness: NonNegative = 1e-3
    n_others: Count = 1000

    def __post_init__(self) -> None:
        for name in ("batch_sizes", "local_steps"):
            told = getattr(self, name)
            if not told or len(set(told)) < len(told):
                raise ValueError(f"{name} are one or more different numbers.")

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Attack the updates of clients that hold training rows.

        Raises:
            NotMeasurable: The model is a black box, nothing of it can be trained, or rows are too few.
        """
        self._check(splits)
        keep = torch.randperm(splits.test.size, generator=rng)[: self.n_others].sort().values
        others = splits.test.take(keep)
        attack, kind = self._attack(model, others)
        found: list[Attacked] = []
        settings = [
            (size, steps, sight)
            for sight in sights_of(model.lineage)
            for size, steps in self._pairs
        ]
        for size, steps, sight in progress.track(settings, "updates attacked"):
            rows = drawn(splits.seen.train.size, self.n_clients, size, spawn(rng))
            made = attack.outcome(splits.seen.train, rows, steps, sight, spawn(rng))
            found.append(Attacked(_setting(size, steps, sight), sight.who, made))
        return [*evidence_of(found, kind)]

    @property
    def _pairs(self) -> list[tuple[int, int]]:
        """Batch sizes and steps to combine: all of the first with the first of the second, and so on."""
        sizes, steps = self.batch_sizes, self.local_steps
        return [(size, steps[0]) for size in sizes] + [(sizes[0], k) for k in steps[1:]]

    def _check(self, splits: Splits) -> None:
        least = LEAST_CLIENTS * max(self.batch_sizes)
        if splits.seen.train.size < least or not splits.test.size:
            raise NotMeasurable(
                "Two clients at least are attacked, which takes {least} training rows, and test rows to compare with.",
                mend="Give it more rows, or lower batch_sizes.",
                least=least,
            )

    def _attack(self, model: Model, others: Batch) -> tuple[RowAttack | TokenAttack, Kind]:
        reader = reader_of(model)
        if reader is not None and not _is_numbers(model, others):
            return TokenAttack(reader, others, self.lr), "tokens"
        model = with_net(model, self)
        if not _is_numbers(model, others):
            raise NotMeasurable(
                "Updates are turned back into rows of numbers, or into tokens that a layer embeds; these inputs are neither.",
                mend="Measure a network that reads one tensor of numbers, or embeds its tokens.",
            )
        attack = self._on_numbers(model, others)
        return attack, attack.judge.kind

    def _on_numbers(self, model: HasNet, others: Batch) -> RowAttack:
        net = deepcopy(model.net).cpu().eval()
        _check_net(net)
        return RowAttack(
            opened(net, model.schema, others.take(slice(0, 1))),
            others,
            loss_of(model.task),
            self.lr,
            Matching(iterations=self.iterations, smoothness=self.smoothness),
        )


def _is_numbers(model: Model, rows: Batch) -> bool:
    return isinstance(rows.x, Tensor) and rows.x.is_floating_point() and not model.schema.is_text


def _check_net(net: torch.nn.Module) -> None:
    """Check that an update depends on weights and rows alone.

    Raises:
        NotMeasurable: Nothing is trained, or a layer keeps statistics of its inputs.
    """
    if not any(w.requires_grad for w in net.parameters()):
        raise NotMeasurable(
            "No weight of this network can be trained.", mend="Unfreeze some of them."
        )
    for layer in net.modules():
        if getattr(layer, "track_running_stats", False):
            raise NotMeasurable(
                "{layer} keeps statistics of its inputs, which no update of the weights carries.",
                mend="Use GroupNorm or LayerNorm instead.",
                layer=type(layer).__name__,
            )


def _setting(size: int, steps: int, sight: Sight) -> str:
    told = f"batch {size}, {steps} step" + "s" * (steps > 1)
    return told + (f", {sight.name}" if sight.name else "")
