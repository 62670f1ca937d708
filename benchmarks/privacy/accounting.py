"""Seconds of CPU time to find the noise for an epsilon, and how much noise: less is better.

Both peers as they come: dp-accounting by `calibrate_dp_mechanism` with privacy loss distributions, Opacus
by `get_noise_multiplier` with its PRV accountant. What was found is judged by dp-accounting at its own grid.
"""

import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import dp_accounting
from dp_accounting.pld import PLDAccountant

sys.path.insert(0, str(Path(__file__).parents[1]))

from harness import RESULTS, Row, arguments, finish, load
from peer import installed, peer, python_of

from fivefold.privacy import accounting
from fivefold.privacy.plan import least_noise

HERE = Path(__file__).parent
REACH = 5.0
MORE_NOISE = 1.01  # than the peer's, at most
DELTA = 1e-5


class Case(NamedTuple):
    epsilon: float
    rate: float
    steps: int


CASES = (
    Case(2.0, 256 / 60_000, 14_040),
    Case(0.5, 0.01, 1000),
    Case(1.0, 0.01, 1000),
    Case(4.0, 0.01, 1000),
    Case(8.0, 4096 / 50_000, 2500),
    Case(1.0, 1e-4, 20_000),
)


class Found(NamedTuple):
    noise: float
    cpu: float
    wall: float
    version: str


def ours(case: Case) -> Found:
    least_noise.cache_clear()
    accounting.forget()
    cpu, wall = time.process_time(), time.perf_counter()
    noise = least_noise(*case, DELTA)
    return Found(noise, time.process_time() - cpu, time.perf_counter() - wall, "")


def google(case: Case) -> Found:
    cpu, wall = time.process_time(), time.perf_counter()
    noise = dp_accounting.calibrate_dp_mechanism(
        PLDAccountant,
        lambda noise: event(case, noise),
        case.epsilon,
        DELTA,
        dp_accounting.LowerEndpointAndGuess(0.3, 1.0),
    )
    took = time.process_time() - cpu, time.perf_counter() - wall
    return Found(float(noise), *took, version("dp-accounting"))


def event(case: Case, noise: float) -> dp_accounting.DpEvent:
    one = dp_accounting.PoissonSampledDpEvent(case.rate, dp_accounting.GaussianDpEvent(noise))
    return dp_accounting.SelfComposedDpEvent(one, case.steps)


def epsilon(case: Case, noise: float) -> float:
    return float(PLDAccountant().compose(event(case, noise)).get_epsilon(DELTA))


def row(name: str, case: Case, mine: list[Found], theirs: list[Found]) -> Row:
    a, b = (statistics.median(f.cpu for f in side) for side in (mine, theirs))
    wall = statistics.median(f.wall for f in mine)
    reached = [epsilon(case, side[0].noise) for side in (mine, theirs)]
    is_good = reached[0] <= case.epsilon and mine[0].noise <= MORE_NOISE * theirs[0].noise
    return Row(
        work=f"noise found, epsilon {case.epsilon:g}, q {case.rate:.5f}, {case.steps} steps", peer=name,
        peer_version=theirs[0].version, ratio=round(b / a, 1), reach=REACH, equal_quality=is_good,
        ours={"cpu s": round(a, 3), "wall s": round(wall, 3), "noise": round(mine[0].noise, 4), "epsilon": round(reached[0], 4)},
        theirs={"cpu s": round(b, 3), "noise": round(theirs[0].noise, 4), "epsilon": round(reached[1], 4)},
        threads=1, load=load(),
    )  # fmt: skip


def main() -> None:
    asked = arguments(str(__doc__))
    if not installed(["opacus"]):
        return
    rows: list[Row] = []
    with peer(python_of("opacus"), HERE / "opacus_accounting.py") as opacus:
        ours(Case(1.0, 0.1, 10))  # loads what is needed
        for case in CASES[:2] if asked.quick else CASES:
            mine, by_google, by_opacus = [], [], []
            for _ in range(1 if asked.quick else 3):
                mine.append(ours(case))
                by_google.append(google(case))
                by_opacus.append(Found(**opacus.ask(**case._asdict(), delta=DELTA)))
            rows.append(row("dp-accounting", case, mine, by_google))
            rows.append(row("opacus", case, mine, by_opacus))
    finish(rows, asked.json or RESULTS / "privacy_accounting.json")


if __name__ == "__main__":
    main()
