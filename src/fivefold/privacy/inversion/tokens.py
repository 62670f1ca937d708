"""Tokens of texts from the rows of the embedding's gradient that are not zero (Melis et al., 2019)."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from fivefold.core.codepoints import decode_texts
from fivefold.core.data import Batch, as_tensor, take
from fivefold.core.errors import NotMeasurable
from fivefold.core.loss import Loss, loss_of
from fivefold.core.model import HasNet, Model
from fivefold.models.language.protocols import ClassifiesTokens
from fivefold.privacy.inversion.outcome import Outcome
from fivefold.privacy.inversion.sight import Sight

Ids: TypeAlias = frozenset[int]
BY_NOISE = 1e-3  # share of the tokens that noise alone would name


@runtime_checkable
class OverTransformer(ClassifiesTokens, Protocol):
    """A predictor of texts whose network we hold."""

    @property
    def classifier(self) -> Any:
        """The network."""
        ...


@dataclass(frozen=True)
class Reader:
    """A private copy of a network that reads tokens, which clients may train.

    Attributes:
        model: The model.
        network: Its network.
        words: The layer that embeds tokens.
    """

    model: HasNet | OverTransformer
    network: nn.Module
    words: nn.Embedding

    def losses(self, data: Batch, loss: Loss) -> Float[Tensor, " row"]:
        """Return the loss of each row."""
        if isinstance(self.model, HasNet):
            return loss(self.network, data)
        told = [self.model.answer(self.model.embeddings(i)[None]) for i in self._ids(data)]
        return loss(lambda _: torch.cat(told), data)

    def tokens(self, data: Batch) -> list[Ids]:
        """Return the tokens of each row, without the one that fills up."""
        if not isinstance(self.model, HasNet):
            return [frozenset(i.tolist()) - {self.words.padding_idx} for i in self._ids(data)]
        told: list[Ids] = []

        def note(_: nn.Module, given: tuple[Tensor, ...]) -> None:
            told.extend([frozenset(given[0].flatten().tolist()) - {self.words.padding_idx}])

        with torch.no_grad():
            hook = self.words.register_forward_pre_hook(note)
            for i in range(data.size):
                self.network(take(data.x, slice(i, i + 1)))
            hook.remove()
        return told

    def _ids(self, data: Batch) -> list[Int[Tensor, " token"]]:
        assert not isinstance(self.model, HasNet), "a network reads its tokens itself"
        return [self.model.tokens(text).ids for text in decode_texts(as_tensor(data.x))]


def reader_of(model: Model) -> Reader | None:
    """Return a copy of the model's network that reads tokens; None if it reads numbers."""
    if not isinstance(model, HasNet | OverTransformer) or _table(_network(model)) is None:
        return None
    copy = deepcopy(model)
    network = _network(copy).cpu().eval()
    words = _table(network)
    return None if words is None else Reader(copy, network, words)


def _network(model: HasNet | OverTransformer) -> nn.Module:
    return model.net if isinstance(model, HasNet) else model.classifier


def _table(network: nn.Module) -> nn.Embedding | None:
    """Return the layer that embeds tokens: the one that the network calls so, or its largest table."""
    asked = getattr(network, "get_input_embeddings", None)
    named = asked() if callable(asked) else None
    if isinstance(named, nn.Embedding):
        return named
    tables = [m for m in network.modules() if isinstance(m, nn.Embedding)]
    return max(tables, key=lambda m: m.num_embeddings, default=None)


@dataclass(frozen=True)
class TokenAttack:
    """What an attacker knows: the network, and texts from the same source.

    Attributes:
        reader: The network.
        others: Texts that no client has.
        lr: Learning rate of clients.
    """

    reader: Reader
    others: Batch
    lr: float

    def outcome(
        self, data: Batch, rows: Int[Tensor, "client row"], steps: int, sight: Sight, rng: Generator
    ) -> Outcome:
        """Attack the update of each client; the numbers of its rows are in `rows`.

        Raises:
            NotMeasurable: The embedding is not trained.
        """
        if not self.reader.words.weight.requires_grad:
            raise NotMeasurable(
                "The embedding of tokens is not trained, so no update carries its rows.",
                mend="Unfreeze it, or measure a model that trains it.",
            )
        loss = loss_of(self.reader.model.task)
        usual = self._usual()
        attack: list[list[float]] = []
        chance: list[list[float]] = []
        for own in rows:
            batch = data.take(own)
            real = self.reader.tokens(batch)
            moved = self._update(batch, loss, steps, sight, rng)
            deviation = deviation_of(sight, steps, len(own))
            named = named_by(moved, deviation, sum(len(ids) for ids in real))
            attack.append([_recall(named, ids) for ids in real])
            chance.append([_recall(frozenset(usual[: len(named)]), ids) for ids in real])
        return Outcome(*(torch.tensor(t, dtype=torch.float64) for t in (attack, chance)))

    def _update(
        self, batch: Batch, loss: Loss, steps: int, sight: Sight, rng: Generator
    ) -> Float[Tensor, "token width"]:
        """Return the rows of the embedding's part of an update, in units of one step."""
        reader = self.reader
        weights = [w for w in reader.network.parameters() if w.requires_grad]
        place = next(i for i, w in enumerate(weights) if w is reader.words.weight)
        start, moved = [w.detach().clone() for w in weights], [torch.zeros_like(w) for w in weights]
        try:
            for _ in range(steps):
                slopes = _slopes(reader, weights, batch, loss, sight)
                if not sight.is_whole:
                    slopes = [_noised(s, sight.deviation / batch.size, rng) for s in slopes]
                with torch.no_grad():
                    for weight, total, slope in zip(weights, moved, slopes, strict=True):
                        weight -= self.lr * slope
                        total += self.lr * slope
        finally:
            with torch.no_grad():
                for weight, old in zip(weights, start, strict=True):
                    weight.copy_(old)
        if not sight.is_whole:
            return moved[place] / self.lr
        return _noised(_short(moved, sight.clip_norm)[place], sight.deviation, rng)

    def _usual(self) -> list[int]:
        """Return the tokens of the other texts, those first that most of them have."""
        told: dict[int, int] = {}
        for ids in self.reader.tokens(self.others):
            for token in ids:
                told[token] = told.get(token, 0) + 1
        return sorted(told, key=lambda t: (-told[t], t))


def named_by(rows: Float[Tensor, "token width"], deviation: float, most: int) -> Ids:
    """Return the tokens whose rows have moved further than noise moves them, at most `most`, far ones first."""
    square = rows.double().square().sum(1)
    order = square.argsort(descending=True, stable=True)[:most]
    return frozenset(order[square[order] > _least(deviation, rows.shape[1])].tolist())


def deviation_of(sight: Sight, steps: int, n_rows: int) -> float:
    """Return the standard deviation of the noise on each number of an update, in units of one step."""
    return sight.deviation if sight.is_whole else sight.deviation * steps**0.5 / n_rows


def _least(deviation: float, width: int) -> float:
    """Return the squared length of a row that noise alone hardly ever reaches."""
    if not deviation:
        return 0.0
    from scipy.stats import chi2

    return float(chi2.ppf(1 - BY_NOISE, width)) * deviation**2


def _recall(named: Ids, real: Ids) -> float:
    return len(named & real) / len(real) if real else 0.0


def _slopes(
    reader: Reader, weights: Sequence[Tensor], batch: Batch, loss: Loss, sight: Sight
) -> list[Tensor]:
    """Return the mean gradient; of gradients that are clipped one by one, if they are."""
    total = [torch.zeros_like(w) for w in weights]
    for i in range(batch.size):
        value = reader.losses(batch.take(slice(i, i + 1)), loss).sum()
        slopes = torch.autograd.grad(value, weights, allow_unused=True, materialize_grads=True)
        if not sight.is_whole:
            slopes = _short(slopes, sight.clip_norm)
        for sum_, slope in zip(total, slopes, strict=True):
            sum_ += slope / batch.size
    return total


def _short(parts: Sequence[Tensor], clip_norm: float) -> list[Tensor]:
    norm = torch.stack([p.square().sum() for p in parts]).sum().sqrt()
    factor = (clip_norm / norm.clamp(min=1e-12)).clamp(max=1.0)
    return [p * factor for p in parts]


def _noised(x: Tensor, deviation: float, rng: Generator) -> Tensor:
    return x + deviation * torch.randn(x.shape, generator=rng) if deviation else x
