"""The other side of `accounting.py`: noise for an epsilon by Opacus, one line of JSON for each line."""

import json
import sys
import time
import warnings
from importlib.metadata import version
from typing import Any

warnings.filterwarnings("ignore")

from opacus.accountants.utils import get_noise_multiplier  # noqa: E402


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    cpu, wall = time.process_time(), time.perf_counter()
    noise = get_noise_multiplier(
        target_epsilon=asked["epsilon"], target_delta=asked["delta"], sample_rate=asked["rate"],
        steps=asked["steps"], accountant="prv",
    )  # fmt: skip
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return {"noise": noise, "cpu": cpu, "wall": wall, "version": version("opacus")}


def main() -> None:
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
