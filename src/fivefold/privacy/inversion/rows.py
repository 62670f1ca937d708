"""The attack on rows of numbers: quotients where they are exact, descent from there and from chance."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from fivefold.core.data import Batch, as_tensor
from fivefold.core.errors import NotMeasurable
from fivefold.core.loss import Loss
from fivefold.privacy.inversion.judge import Judge, judge_of
from fivefold.privacy.inversion.linear import Range, first_linear, solved
from fivefold.privacy.inversion.matching import Matching, best_of
from fivefold.privacy.inversion.opened import Opened
from fivefold.privacy.inversion.outcome import Outcome
from fivefold.privacy.inversion.sight import Sight
from fivefold.privacy.inversion.update import Client, Update

FLAT, IMAGE = 3, 3  # axes of clients' rows that are flat, and of one image
SOLVED = 1e-5  # distance from the update below which nothing is left to find
TIE = 1e-9  # breaks ties between other rows


@dataclass(frozen=True)
class RowAttack:
    """What an attacker knows: the network, rows from the same source, and how a client trains.

    Attributes:
        opened: The network behind its preparation.
        others: Rows that no client has, with their targets.
        loss: Loss per example.
        lr: Learning rate of clients.
        matching: How rows are tried.
    """

    opened: Opened
    others: Batch
    loss: Loss
    lr: float
    matching: Matching

    @property
    def judge(self) -> Judge:
        """What compares guesses with rows."""
        return judge_of(self.opened.schema, as_tensor(self.others.x))

    def outcome(
        self, data: Batch, rows: Int[Tensor, "client row"], steps: int, sight: Sight, rng: Generator
    ) -> Outcome:
        """Attack the update of each client; the numbers of its rows are in `rows`.

        Raises:
            NotMeasurable: An update is not finite.
        """
        client = Client(self.opened.body, self.loss, self.lr, steps, sight)
        x, y = as_tensor(data.x)[rows], data.y[rows]
        z = self.opened.encode(x.flatten(0, 1))
        z = z.unflatten(0, rows.shape)
        seen = client.seen(z, y, rng)
        if not all(bool(v.isfinite().all()) for v in seen.values()):
            raise NotMeasurable("The model's answers are not finite.", mend="Train it anew.")
        guess = self._guess(client, seen, y, z.shape, rng)
        judge = self.judge
        found = judge.scores(self._decoded(guess), x)
        return Outcome(found, self._by_chance(judge, x, rng))

    def _guess(
        self, client: Client, seen: Update, y: Tensor, shape: torch.Size, rng: Generator
    ) -> Tensor:
        """Return the attacker's rows: of all that were tried, those that explain the update best."""
        known = self.opened.encode(as_tensor(self.others.x))
        room = self._range(known)
        starts = [known[self._like(y, rng)]]
        layer = first_linear(client.body)
        if layer is not None and len(shape) == FLAT:
            starts.append(solved(seen, layer, shape[1], room, known.mean(0)))
        guess, gap = best_of(client, seen, starts, y)
        left = (gap > SOLVED).nonzero()[:, 0]
        if len(left):
            guess[left] = self._descended(
                client,
                {n: v[left] for n, v in seen.items()},
                [s[left] for s in starts],
                y[left],
                room,
            )
        return guess

    def _descended(
        self, client: Client, seen: Update, starts: list[Tensor], y: Tensor, room: Range
    ) -> Tensor:
        """Return the best of where descent begins, and where it ends."""
        n = len(starts)
        schema = self.opened.schema
        moved = self.matching.found(
            client,
            {k: v.repeat(n, *[1] * (v.dim() - 1)) for k, v in seen.items()},
            torch.cat(starts),
            y.repeat(n, 1),
            room,
            schema.shape if len(schema.shape) == IMAGE else (),
        )
        return best_of(client, seen, [*starts, *moved.chunk(n)], y)[0]

    def _like(self, y: Tensor, rng: Generator) -> Int[Tensor, "client row"]:
        """Return other rows to begin with: any of those whose targets are nearest to the targets `y`."""
        gap = (y.flatten()[:, None] - self.others.y[None]).abs().double()
        if not y.is_floating_point():
            gap = (gap > 0).double()  # classes have no order
        tie = torch.rand(gap.shape, generator=rng, dtype=torch.float64)
        return (gap + TIE * tie).argmin(1).view(y.shape)

    def _by_chance(
        self, judge: Judge, x: Float[Tensor, "client row ..."], rng: Generator
    ) -> Float[Tensor, "client row"]:
        """Return the better of two guesses that read no update: the mean row, and other rows."""
        others = as_tensor(self.others.x)
        known = self.opened.encode(others)
        mean = self.opened.decode(known.mean(0, keepdim=True)).expand(x.shape)
        picked = torch.randint(len(others), x.shape[:2], generator=rng)
        tried = [judge.scores(guess, x) for guess in (mean, others[picked])]
        is_error = judge.kind == "tables"
        return min(tried, key=lambda s: float(s.mean() if is_error else -s.mean()))

    def _decoded(self, z: Float[Tensor, "client row ..."]) -> Float[Tensor, "client row ..."]:
        return self.opened.decode(z.flatten(0, 1)).unflatten(0, z.shape[:2])

    def _range(self, known: Float[Tensor, "row ..."]) -> Range:
        """Return where values lie: of tables as in the other rows, of images between black and white."""
        if self.opened.schema.is_table:
            return Range(known.amin(0), known.amax(0))
        ends = self.opened.encode(
            torch.stack(
                [torch.zeros(self.opened.schema.shape), torch.ones(self.opened.schema.shape)]
            )
        )
        return Range(ends[0], ends[1])
