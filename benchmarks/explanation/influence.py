"""Influences of training examples against dattri and traker (P10): do they foretell training anew, and what do they cost?

Judges are models trained anew on random halves of the training rows. The linear datamodeling score is the
rank correlation between what the influences on a row add up to in each half, and what the judge of that
half answers. All sides get the same models, rows and score (log-odds of the true class). Every damping is
chosen by half of the judges, for each side from a grid of its own scale, and scored by the other half.
Ours is not lower if the 95 % interval of the difference does not lie below zero: rows share the judges, so
its variance is that over rows plus that over judges, each by leaving one out. TracIn is the same sum on
both sides, and its values must agree. Influence functions are taken without the curvature that leaves the
example out (`leaves_out=False`), as the other side defines them.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from scipy.stats import t as student
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
from harness import RESULTS, Row, arguments, finish, load
from harness import write as keep
from influence_cases import DATA, Case, Size, case
from peer import Peer, installed, peer, python_of

from fivefold.explanation.influence import TRAK, Influencer, LastLayerInfluence, TracIn
from fivefold.explanation.influence.datamodeling import datamodeling_score, foretold
from fivefold.explanation.rank import rank_correlation

CASES = (("MNIST, logistic regression", "mnist", ()), ("digits, network", "digits", (64, 32)))
DIMENSION = 512  # of projected gradients
OURS = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0)  # of the mean eigenvalue
THEIRS = {"influence": (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0), "TRAK": tuple(10.0**k for k in range(-5, 8))}  # fmt: skip
LOWER, REPEATS = 0.97, 3  # a shortfall of 3 % and an interval with 0 in it is not lower


class Made(NamedTuple):
    """Influences, and the CPU seconds they took."""

    values: Float[Tensor, "rows train"]
    cpu: float


class Chosen(NamedTuple):
    """The damping that half of the judges chose, and what was made with it."""

    damping: float
    made: Made


def half(found: Case, second: bool) -> tuple[Tensor, Tensor]:
    """Return the parts and scores of the judges that choose, or of those that score."""
    middle = len(found.parts) // 2
    kept = slice(middle, None) if second else slice(0, middle)
    return found.parts[kept], found.scores[:, kept]


def ours(influencer: Influencer, found: Case, of_steps: bool) -> Made:
    models = found.checkpoints if of_steps else found.apart
    seconds, values = list[float](), torch.zeros(0, 0)
    for _ in range(REPEATS):
        rng = torch.Generator().manual_seed(0)
        start = time.process_time()
        values = influencer(models, found.train, found.rows, rng=rng).values
        seconds.append(time.process_time() - start)
    return Made(values, statistics.median(seconds))


def theirs(process: Peer, repeats: int, **asked: Any) -> Made:
    told = [process.ask(**asked) for _ in range(repeats)]
    values = load_file(told[-1]["file"])["values"].double()
    return Made(values, statistics.median(one["cpu"] for one in told))


def best(grid: tuple[float, ...], make: Callable[[float], Made], found: Case) -> Chosen:
    """Return the damping with the highest score among the judges that choose."""
    every = {damping: make(damping) for damping in grid}
    told = {d: datamodeling_score(m.values, *half(found, False)).value for d, m in every.items()}
    damping = max(told, key=lambda d: told[d])
    return Chosen(damping, every[damping])


def difference(one: Tensor, other: Tensor, found: Case) -> tuple[float, float, float]:
    """Return the mean difference of the scores of two methods, and its 95 % interval."""
    parts, scores = half(found, True)
    told = [foretold(values, parts) for values in (one, other)]
    each = rank_correlation(told[0], scores) - rank_correlation(told[1], scores)
    n_rows, n_parts = scores.shape
    kept = ~torch.eye(n_parts, dtype=torch.bool)
    less = torch.stack([
        (rank_correlation(told[0][:, k], scores[:, k]) - rank_correlation(told[1][:, k], scores[:, k])).mean()
        for k in kept
    ])  # fmt: skip
    over_judges = (n_parts - 1) / n_parts * (less - less.mean()).square().sum()
    spread = float((over_judges + each.var() / n_rows).sqrt())
    away = float(student.ppf(0.975, min(n_rows, n_parts) - 1)) * spread
    value = float(each.mean())
    return value, value - away, value + away


def rows_of(
    work: str, library: str, version: str, us: Chosen, them: Chosen, found: Case
) -> list[Row]:
    """Return the row of the scores and that of the costs."""
    mine, other = (datamodeling_score(c.made.values, *half(found, True)) for c in (us, them))
    away, low, high = difference(us.made.values, them.made.values, found)
    shared: dict[str, Any] = {
        "peer": library,
        "peer_version": version,
        "threads": 1,
        "load": load(),
    }
    is_as_good = high >= 0
    told = {
        "score": round(mine.value, 4),
        "from": round(mine.low, 3),
        "to": round(mine.high, 3),
        "damping": us.damping,
    }
    other_told = {
        "score": round(other.value, 4),
        "from": round(other.low, 3),
        "to": round(other.high, 3),
        "damping": them.damping,
    }
    difference_told = {
        "difference": round(away, 4),
        "its interval": [round(low, 4), round(high, 4)],
    }
    return [
        Row(work=f"{work}: datamodeling score", ratio=mine.value / other.value, reach=LOWER, equal_quality=is_as_good, ours=told | difference_told, theirs=other_told, **shared),
        Row(work=f"{work}: CPU time", ratio=them.made.cpu / us.made.cpu, reach=1.0, equal_quality=is_as_good, ours={"cpu s": round(us.made.cpu, 3)}, theirs={"cpu s": round(them.made.cpu, 3)}, **shared),
    ]  # fmt: skip


def compared(work: str, found: Case, peers: dict[str, tuple[str, Peer]], repeats: int) -> list[Row]:
    """Return the rows of one case."""
    rows: list[Row] = []
    trak = best(OURS, lambda d: ours(TRAK(damping=d, dimension=DIMENSION), found, False), found)
    for library, (version, process) in peers.items():
        if library == "dattri":
            rows += of_exact(work, found, version, process, repeats)

        def make(damping: float, process: Peer = process) -> Made:
            return theirs(process, 1, method="TRAK", damping=damping, dimension=DIMENSION)

        them = best(THEIRS["TRAK"], make, found)
        again = theirs(process, repeats, method="TRAK", damping=them.damping, dimension=DIMENSION)
        them = Chosen(them.damping, again)
        rows += rows_of(f"TRAK of {DIMENSION} numbers, {work}", library, version, trak, them, found)
    return rows


def of_exact(work: str, found: Case, version: str, process: Peer, repeats: int) -> list[Row]:
    """Return the rows of TracIn and of influence functions of the last layer."""
    traced = ours(TracIn(rates=found.rates), found, True)
    them = theirs(process, repeats, method="TracIn", rates=found.rates)
    apart = float((traced.values - them.values).abs().max() / them.values.abs().max())
    print(f"{work}: values of TracIn differ by {apart:.1e} of the largest", flush=True)
    assert apart < 1e-3
    rows = rows_of(f"TracIn, {work}", "dattri", version, Chosen(0, traced), Chosen(0, them), found)

    def make(damping: float) -> Made:
        return theirs(process, 1, method="influence", damping=damping)

    last = best(
        OURS, lambda d: ours(LastLayerInfluence(damping=d, leaves_out=False), found, False), found
    )
    theirs_last = best(THEIRS["influence"], make, found)
    return rows + rows_of(
        f"influence of the last layer, {work}", "dattri", version, last, theirs_last, found
    )


def told(found: Case, folder: Path) -> None:
    """Write what the other side is given: prepared rows, and layers of weights."""
    first = found.apart[0].net
    prepare = first[0]  # type: ignore[index]
    held = {"train_x": prepare(found.train.x), "train_y": found.train.y, "x": prepare(found.rows.x), "y": found.rows.y}  # fmt: skip
    for kind, models in (("checkpoints", found.checkpoints), ("apart", found.apart)):
        for i, model in enumerate(models):
            layers = [m for m in model.net.modules() if isinstance(m, nn.Linear)]
            for j, layer in enumerate(layers):
                held |= {f"{kind}.{i}.{2 * j}.{k}": v for k, v in layer.state_dict().items()}
    linear = [m for m in first.modules() if isinstance(m, nn.Linear)]
    widths = [linear[0].in_features, *(layer.out_features for layer in linear)]
    counts = {"checkpoints": len(found.checkpoints), "apart": len(found.apart)}
    (folder / "told.json").write_text(json.dumps({"widths": widths, **counts}))
    save_file({k: v.contiguous().clone() for k, v in held.items()}, folder / "given.safetensors")


def main() -> None:
    args = arguments(__doc__ or "")
    out = args.json or RESULTS / "explanation_influence.json"
    torch.set_num_threads(1)
    cases, size, repeats = CASES, Size(1000, 100, 100), REPEATS
    if args.quick:
        cases, size, repeats = CASES[1:], Size(200, 20, 24), 1
    if not (DATA / "mnist_t10k").exists():
        print(f"skipped MNIST: there is no {DATA / 'mnist_t10k'}; set FIVEFOLD_DATA")
        cases = CASES[1:]
    rows: list[Row] = []
    for work, name, hidden in cases:
        found = case(name, hidden, size)
        with tempfile.TemporaryDirectory() as folder, ExitStack() as until:
            told(found, Path(folder))
            peers = dict[str, tuple[str, Peer]]()
            for library in installed(("dattri", "traker")):
                script = Path(__file__).with_name("influence_peer.py")
                process = until.enter_context(peer(python_of(library), script, library, folder))
                peers[library] = (process.answer()["version"], process)
            rows += compared(work, found, peers, repeats)
        keep(rows, out)
    finish(rows, out)


if __name__ == "__main__":
    main()
