"""Shadow models trained as one against one at a time, and RMIA by one sort against the matrix of comparisons."""

import resource
import sys
from math import log
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from harness import RESULTS, Row, arguments, finish, interleaved, load

from fivefold.core.data import Batch
from fivefold.core.loss import cross_entropy
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.models import MLP
from fivefold.privacy.attacks.rmia import share_beaten
from fivefold.privacy.shadow import batch_table, halves
from fivefold.training import SGD, AdamW
from fivefold.training.together import train_apart, train_together, why_not_together

WIDTH, CLASSES, SIZE, SHADOWS, ROWS = 64, 10, 32, 64, 2000
BLOCK = 500  # rows of the matrix that exist at once: 80 MB, without which 20k x 20k is 3.2 GB
ALIKE = 1e-5
EXACT = 16  # steps that are compared in float64


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rngs() -> list[torch.Generator]:
    return [seeded(i) for i in range(SHADOWS)]


def networks(hidden: int) -> list[torch.nn.Module]:
    schema = Schema(columns=tuple(Column(name=f"c{i}") for i in range(WIDTH)), shape=(WIDTH,))
    task = Task(classes=tuple(map(str, range(CLASSES))))
    return [MLP(hidden=(hidden,)).build(schema, task, seeded(i)) for i in range(SHADOWS)]


@torch.no_grad()
def gap(a: list[torch.nn.Module], b: list[torch.nn.Module]) -> float:
    """Return the largest difference of a weight, in units of the largest weight."""
    pairs = [
        (p, q)
        for x, y in zip(a, b, strict=True)
        for p, q in zip(x.parameters(), y.parameters(), strict=True)
    ]
    return max(float((p - q).abs().max() / q.abs().max()) for p, q in pairs)


def exact_gap(pool: Batch, table: torch.Tensor, optimizer: AdamW | SGD, hidden: int) -> float:
    """Return the gap in float64: AdamW divides gradients near zero by their size, rounding included."""
    assert isinstance(pool.x, torch.Tensor)
    pool = Batch(pool.x.double(), pool.y)
    a, b = ([net.double() for net in networks(hidden)] for _ in "ab")
    train_together(a, pool, table, cross_entropy, optimizer, "shadows")
    train_apart(b, pool, table, cross_entropy, optimizer, rngs())
    return gap(a, b)


def shadows(name: str, optimizer: AdamW | SGD, hidden: int, reach: float, repeats: int) -> Row:
    own = seeded()
    pool = Batch(
        torch.randn(ROWS, WIDTH, generator=own), torch.randint(CLASSES, (ROWS,), generator=own)
    )
    table = batch_table(halves(ROWS, SHADOWS, own), SIZE, 2, own)
    made: dict[str, list[torch.nn.Module]] = {}

    def together() -> None:
        made["ours"] = networks(hidden)
        assert not why_not_together(made["ours"], pool, optimizer)
        train_together(made["ours"], pool, table, cross_entropy, optimizer, "shadows")

    def apart() -> None:
        made["theirs"] = networks(hidden)
        train_apart(made["theirs"], pool, table, cross_entropy, optimizer, rngs())

    exact = exact_gap(pool, table[:EXACT], optimizer, hidden)  # also loads what optimizers need
    ours, theirs = interleaved(together, apart, repeats=repeats)
    off = gap(made["ours"], made["theirs"])
    return Row(
        work=f"{SHADOWS} shadows of an MLP {WIDTH}-{hidden}-{CLASSES}, {name}, {len(table)} steps of {SIZE}",
        peer="one at a time", peer_version=f"torch {torch.__version__}",
        ratio=round(theirs.cpu / ours.cpu, 2), reach=reach, equal_quality=exact < ALIKE,
        ours={"cpu s": round(ours.cpu, 3), "wall s": round(ours.wall, 3), "largest difference": f"{exact:.1e} in float64, {off:.1e} in float32"},
        theirs={"cpu s": round(theirs.cpu, 3), "wall s": round(theirs.wall, 3)},
        threads=1, load=load(),
    )  # fmt: skip


def matrix(own: torch.Tensor, population: torch.Tensor, margin: float) -> torch.Tensor:
    beaten = (population + margin)[None]
    return torch.cat([(o[:, None] >= beaten).double().mean(1) for o in own.split(BLOCK)])


def memory() -> float:
    """Return the largest resident size so far, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def rmia(n: int, repeats: int) -> Row:
    own = seeded(1)
    x = torch.randn(n, generator=own, dtype=torch.float64)
    z = torch.randn(n, generator=own, dtype=torch.float64)
    start = memory()
    mine = share_beaten(x, z, log(2.0))
    grown = memory() - start
    same = torch.equal(mine, matrix(x, z, log(2.0)))
    ours, theirs = interleaved(
        lambda: share_beaten(x, z, log(2.0)), lambda: matrix(x, z, log(2.0)), repeats=repeats
    )
    return Row(
        work=f"RMIA scores of {n:,} rows against {n:,}, from their gains", peer="matrix form, in blocks",
        peer_version=f"torch {torch.__version__}", ratio=round(theirs.cpu / ours.cpu, 1), reach=100.0,
        equal_quality=same,
        ours={"cpu ms": round(ours.cpu * 1e3, 2), "peak grows by MB": round(grown, 1), "same scores": same},
        theirs={"cpu ms": round(theirs.cpu * 1e3, 1), "peak grows by MB": round(memory() - start, 1)},
        threads=1, load=load(),
    )  # fmt: skip


def main() -> None:
    asked = arguments(str(__doc__))
    torch.set_num_threads(1)
    repeats = 2 if asked.quick else 9
    share_beaten(torch.randn(9), torch.randn(9), 0.0)  # loads what sorting needs
    rows = [rmia(20_000, repeats)]
    rows.append(shadows("AdamW", AdamW(), 64, 5.0, repeats))
    rows.append(shadows("SGD", SGD(), 64, 5.0, repeats))
    if not asked.quick:
        rows.append(shadows("SGD", SGD(), 256, 1.5, repeats))
    finish(rows, asked.json or RESULTS / "privacy_membership.json")


if __name__ == "__main__":
    main()
