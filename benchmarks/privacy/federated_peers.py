"""A round of federated averaging against pfl-research (Granqvist et al., 2024), protocol P4 a and b.

1000 clients, 100 of them a round, one epoch, batches of 10, SGD at 0.1, no evaluation inside; CPU time of one
thread, after two rounds of warm-up. Both sides begin with the same weights, ask the same clients in the same
rounds and read the same batches, and must reach the same weights (1e-4). `make .peers/pfl` installs the peer.
"""

import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1]))

from federated import CASES, HOW, N_ASKED, N_CLIENTS, Case, fresh, rounds
from harness import RESULTS, Row, arguments, finish, load
from peer import installed, peer, python_of

from fivefold.privacy.federated.layout import layout_of, read
from fivefold.privacy.federated.order import table
from fivefold.privacy.federated.rounds import Rounds

ALIKE, WARM = 1e-4, 2
PEER = Path(__file__).with_name("federated_pfl_peer.py")
PROMISES = {"a": ([64, 10], 40.0), "b": ([64, 256, 10], 10.0)}


class Side(NamedTuple):
    """Seconds of a round after warm-up, medians, and the weights at the end."""

    cpu: float
    wall: float
    weights: Tensor


def ours(run: Rounds, start: Tensor, n_rounds: int) -> Side:
    """Run all rounds, each timed."""
    rng, weights, times = Generator().manual_seed(0), start, list[tuple[float, float]]()
    past = run.server.start(weights)
    for round_ in range(n_rounds):
        cpu, wall = time.process_time(), time.perf_counter()
        ids = run.cohorts.draw(N_CLIENTS, rng)
        shares = torch.full((len(ids),), 1 / len(ids))
        update = torch.zeros_like(weights)
        for part in run.site.answers(weights, ids, round_, None).parts:
            update += shares[part.places] @ part.updates
        weights, past = run.server.move(weights, update, past)
        times.append((time.process_time() - cpu, time.perf_counter() - wall))
    kept = times[WARM:]
    return Side(*(statistics.median(t) for t in zip(*kept, strict=True)), weights)


def work(run: Rounds, net: nn.Module, n_rounds: int, folder: Path) -> None:
    """Write what the peer does: rows of each client asked in each round, in the order of its batches."""
    from safetensors.torch import save_file

    rng = Generator().manual_seed(0)
    asked = [run.cohorts.draw(N_CLIENTS, rng) for _ in range(n_rounds)]
    rows = torch.stack([rows_of(run, ids, i) for i, ids in enumerate(asked)])
    parts = {f"net.chain.{k}": v for k, v in net.state_dict().items()}
    data = run.site.data
    assert isinstance(data.x, Tensor)
    save_file({"x": data.x, "y": data.y, "rows": rows} | parts, folder / "work.safetensors")


def rows_of(run: Rounds, ids: Tensor, round_: int) -> Tensor:
    """Return the rows of clients of one size, in the order in which they are read."""
    return table(run.site.clients, ids, run.site.seed[ids], round_, HOW).rows.flatten(1)


def theirs(net: nn.Module, folder: Path, widths: list[int], n_rounds: int) -> tuple[Side, str]:
    """Let pfl do the same."""
    from safetensors.torch import load_file

    with peer(python_of("pfl"), PEER) as other:
        told = other.ask(
            folder=str(folder), widths=widths, n_rounds=n_rounds, lr=HOW.lr, batch=HOW.batch_size
        )
    end = load_file(folder / "pfl.safetensors")
    weights = torch.cat([end[f"chain.{name}"].flatten() for name in layout_of(net).names])
    cpu, wall = (
        statistics.median(b - a for a, b in zip(t[WARM - 1 :], t[WARM:], strict=False))
        for t in (told["cpu"], told["wall"])
    )
    return Side(cpu, wall, weights), told["version"]


def row(case: Case, n_rounds: int) -> Row:
    widths, reach = PROMISES[case.work[0]]
    net = fresh(case.make)
    start = read(net, layout_of(net))
    with TemporaryDirectory() as place:
        folder = Path(place)
        run = rounds(case, net, "auto")
        work(run, net, n_rounds, folder)
        their, version = theirs(net, folder, widths, n_rounds)
        mine = ours(run, start, n_rounds)
    apart = float((mine.weights - their.weights).abs().max())
    return Row(
        work=f"federated round, {case.work}, {N_ASKED} of {N_CLIENTS} clients", peer="pfl",
        peer_version=version, ratio=round(their.cpu / mine.cpu, 1), reach=reach,
        equal_quality=apart < ALIKE,
        ours={
            "cpu ms": round(mine.cpu * 1e3, 2), "wall ms": round(mine.wall * 1e3, 2),
            "weights off by": float(f"{apart:.1e}"),
            "weights moved by": round(float((mine.weights - start).abs().max()), 3),
        },
        theirs={"cpu ms": round(their.cpu * 1e3, 2), "wall ms": round(their.wall * 1e3, 2)},
        threads=1, load=load(),
    )  # fmt: skip


def main() -> None:
    asked = arguments(str(__doc__))
    torch.set_num_threads(1)
    n_rounds = WARM + (3 if asked.quick else 20)
    cases = [c for c in CASES if c.work[0] in PROMISES] if installed(["pfl"]) else []
    rows = [row(case, n_rounds) for case in cases]
    finish(rows, asked.json or RESULTS / "privacy_federated_peers.json")


if __name__ == "__main__":
    main()
