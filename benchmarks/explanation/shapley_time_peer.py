"""The other side of `shapley_time.py`: shap's KernelExplainer in an environment and a process of its own."""

import json
import logging
import sys
import time
import warnings
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import shap
from shapley_net import Array, Net, log_odds, read


def score(net: Net, rows: Array) -> Array:
    return log_odds(net.logits(rows))


def main() -> None:
    warnings.simplefilter("ignore")
    logging.getLogger("shap").setLevel(logging.ERROR)
    print(json.dumps({"version": version("shap")}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        net, x, background = read(Path(asked["file"]))
        np.random.seed(asked["seed"])  # noqa: NPY002 - what this library draws from
        start, wall = time.process_time(), time.perf_counter()
        explainer = shap.KernelExplainer(partial(score, net), background)
        told = {"nsamples": asked["budget"] - 2, "l1_reg": False, "silent": True}
        values = np.asarray(explainer.shap_values(x[: asked["rows"]], **told))
        cpu, wall = time.process_time() - start, time.perf_counter() - wall
        values = values.reshape(len(values), x.shape[1], -1)
        np.save(asked["out"], values)
        print(json.dumps({"cpu": cpu, "wall": wall}), flush=True)


if __name__ == "__main__":
    main()
