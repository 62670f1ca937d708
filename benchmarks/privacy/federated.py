"""A round of federated averaging: clients trained together against the same clients trained one by one.

1000 clients, 100 of them a round, one epoch, batches of 10, SGD at 0.1, no evaluation inside; CPU time of one
thread. Both engines read the same batches and must reach the same weights (1e-4) after all rounds. "auto" is
what a recipe gets. The plain loop beside it is torch's own SGD without anything of ours, to show that our
serial engine is no straw man.
"""

import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1]))

from harness import RESULTS, Row, arguments, finish, interleaved, load

from fivefold.core.data import Batch
from fivefold.core.loss import cross_entropy
from fivefold.privacy.federated.aggregate import Mean
from fivefold.privacy.federated.cohorts import Cohorts
from fivefold.privacy.federated.engine import Kind, choose
from fivefold.privacy.federated.layout import layout_of, read, write
from fivefold.privacy.federated.local import Site
from fivefold.privacy.federated.order import Local, table
from fivefold.privacy.federated.partition import Clients
from fivefold.privacy.federated.rounds import Rounds
from fivefold.privacy.federated.server import Plain

N_CLIENTS, N_ASKED, ALIKE = 1000, 100, 1e-4
HOW = Local(lr=0.1, batch_size=10, epochs=1)


class Case(NamedTuple):
    """Work, its network, shape of an example, rows per client (0 for ragged) and what is promised."""

    work: str
    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    n_rows: int
    reach: float


def mlp(*widths: int) -> nn.Sequential:
    layers = [m for a, b in pairwise(widths) for m in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


def cnn() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(784, 10),
    )  # fmt: skip


CASES = (
    Case("a: logistic 64-10, 50 rows a client", lambda: mlp(64, 10), (64,), 50, 5.0),
    Case("b: MLP 64-256-10, 50 rows a client", lambda: mlp(64, 256, 10), (64,), 50, 5.0),
    Case("c: CNN on 28x28, 60 rows a client", cnn, (1, 28, 28), 60, 2.0),
    Case("d: logistic 64-10, 3-400 rows a client", lambda: mlp(64, 10), (64,), 0, 5.0),
    Case("d: MLP 64-256-10, 3-400 rows a client", lambda: mlp(64, 256, 10), (64,), 0, 5.0),
    Case("e: MLP 64-512-512-10, 50 rows a client", lambda: mlp(64, 512, 512, 10), (64,), 50, 1.0),
)


def data(shape: tuple[int, ...]) -> Batch:
    if shape != (64,):
        own = Generator().manual_seed(3)
        return Batch(
            torch.rand(1797, *shape, generator=own), torch.randint(10, (1797,), generator=own)
        )
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return Batch(torch.from_numpy(x).float() / 16, torch.from_numpy(y).long())


def clients(n_rows: int, n_data: int) -> Clients:
    own = Generator().manual_seed(1)
    size = torch.full((N_CLIENTS,), n_rows)
    if not n_rows:
        size = (torch.randn(N_CLIENTS, generator=own) * 0.85 + 3.6).exp().long().clamp(3, 400)
    return Clients(
        torch.randint(n_data, (int(size.sum()),), generator=own), size.cumsum(0) - size, size
    )


def rounds(case: Case, net: nn.Module, kind: Kind) -> Rounds:
    rows, seed = data(case.shape), torch.arange(N_CLIENTS)
    site = Site(
        rows,
        clients(case.n_rows, rows.size),
        seed,
        HOW,
        choose(kind, fresh(case.make), rows, cross_entropy, True),
    )
    cohorts = Cohorts(rate=N_ASKED / N_CLIENTS, sampling="fixed", dropout=0.0)
    return Rounds(site=site, cohorts=cohorts, aggregate=Mean(), server=Plain())


def fresh(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng():
        torch.random.set_rng_state(Generator().manual_seed(2).get_state())
        return make()


def plain_round(net: nn.Module, start: Tensor, run: Rounds) -> None:
    """Train the first round's clients by torch's SGD and average them."""
    layout, total, n = layout_of(net), torch.zeros_like(start), 0
    ids = run.cohorts.draw(N_CLIENTS, Generator().manual_seed(0))
    stepper = torch.optim.SGD(net.parameters(), lr=HOW.lr)
    for one in ids:
        write(net, layout, start)
        rows = table(run.site.clients, one[None], run.site.seed[one][None], 0, HOW)
        size = int(run.site.clients.size[one])
        own = run.site.data.take(rows.rows[rows.share > 0])
        for i in range(0, size, HOW.batch_size):
            stepper.zero_grad()
            batch = own.take(slice(i, i + HOW.batch_size))
            F.cross_entropy(net(batch.x), batch.y).backward()
            stepper.step()
        total += size * (read(net, layout) - start)
        n += size


def row(case: Case, n_rounds: int, repeats: int) -> Row:
    net = fresh(case.make)
    start, plain = read(net, layout_of(net)), fresh(case.make)
    both = [rounds(case, net, kind) for kind in ("auto", "serial")]

    def side(run: Rounds, n: int) -> Tensor:
        return run.run(start, n, Generator().manual_seed(0))

    ends = [side(run, n_rounds) for run in both]
    apart = float((ends[0] - ends[1]).abs().max())
    mine, theirs, loop = interleaved(
        lambda: side(both[0], 1),
        lambda: side(both[1], 1),
        lambda: plain_round(plain, start, both[1]),
        repeats=repeats,
    )
    chosen = both[0].site.chosen
    return Row(
        work=f"federated round, {case.work}", peer="one client at a time", peer_version="",
        ratio=round(theirs.cpu / mine.cpu, 2), reach=case.reach, equal_quality=apart < ALIKE,
        ours={
            "cpu ms": round(mine.cpu * 1e3, 2), "wall ms": round(mine.wall * 1e3, 2),
            "engine": type(chosen.engine).__name__, "weights off by": float(f"{apart:.1e}"),
            "weights moved by": round(float((ends[0] - start).abs().max()), 3),
        },
        theirs={
            "cpu ms": round(theirs.cpu * 1e3, 2), "wall ms": round(theirs.wall * 1e3, 2),
            "plain torch loop, cpu ms": round(loop.cpu * 1e3, 2),
        },
        threads=1, load=load(),
    )  # fmt: skip


def main() -> None:
    asked = arguments(str(__doc__))
    torch.set_num_threads(1)
    size = (2, 2) if asked.quick else (20, 15)
    finish([row(case, *size) for case in CASES], asked.json or RESULTS / "privacy_federated.json")


if __name__ == "__main__":
    main()
