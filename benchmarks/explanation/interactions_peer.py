"""The other side of `interactions.py`: shapiq in an environment and a process of its own.

ProxySPEX is asked without its grid search, which takes 3 to 11 seconds a row and was never the best. Each
line of input is a JSON object (estimator, file of games, budget); so is each line of output.
"""

import json
import os
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
from interactions_played import played
from shapiq import approximator as offered
from shapley_played import Array, Counted, Explain, read


def explain_by(name: str, **told: object) -> Explain:
    def explain(game: Counted, budget: int, seed: int) -> Array:
        n = game.game.n
        made = getattr(offered, name)(n=n, max_order=2, index="k-SII", random_state=seed, **told)
        found = made.approximate(budget, game)
        values = np.zeros((n, n))
        for players, place in found.interaction_lookup.items():
            if len(players) in (1, 2):
                values[players[0], players[-1]] = values[players[-1], players[0]] = found.values[place]  # fmt: skip
        return values

    return explain


ESTIMATORS: dict[str, Explain] = {
    "KernelSHAPIQ": explain_by("KernelSHAPIQ"),
    "KernelSHAPIQ, paired": explain_by("KernelSHAPIQ", pairing_trick=True),
    "InconsistentKernelSHAPIQ, paired": explain_by("InconsistentKernelSHAPIQ", pairing_trick=True),
    "SVARMIQ": explain_by("SVARMIQ"),
    "SVARMIQ, paired": explain_by("SVARMIQ", pairing_trick=True),
    "SHAPIQ, paired": explain_by("SHAPIQ", pairing_trick=True),
    "PermutationSamplingSII": explain_by("PermutationSamplingSII"),
    "ProxySHAP": explain_by("ProxySHAP"),
    "ProxySHAP, adjusted": explain_by("ProxySHAP", adjustment=True),
    "ProxySPEX": explain_by("ProxySPEX", hpo=False),
}


def main() -> None:
    warnings.simplefilter("ignore")
    said = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the library's trees print there
    print(json.dumps({"version": version("shapiq"), "estimators": list(ESTIMATORS)}), file=said, flush=True)  # fmt: skip
    for line in sys.stdin:
        asked = json.loads(line)
        games = read(Path(asked["file"]))
        start = time.process_time()
        found = played(ESTIMATORS[asked["estimator"]], games, asked["budget"])
        print(json.dumps(found | {"cpu": time.process_time() - start}), file=said, flush=True)


if __name__ == "__main__":
    main()
