"""The other side of the Shapley benchmarks: shap, shapiq or captum in an environment and a process of its own.

Each line of input is a JSON object (estimator, file of games, budget); so is each line of output.
"""

import json
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
from shapley_played import Array, Counted, Explain, played, read


def of_shap() -> dict[str, Explain]:
    import logging

    import shap

    logging.getLogger("shap").setLevel(logging.ERROR)

    def kernel(l1_reg: object) -> Explain:
        def explain(game: Counted, budget: int, seed: int) -> Array:
            np.random.seed(seed)  # noqa: NPY002 - what this library draws from
            n = game.game.n
            explainer = shap.KernelExplainer(game, np.zeros((1, n)))
            told = {"nsamples": budget - 2, "l1_reg": l1_reg, "silent": True}
            return np.asarray(explainer.shap_values(np.ones((1, n)), **told))

        return explain

    def permutation(game: Counted, budget: int, seed: int) -> Array:
        n = game.game.n
        masker = shap.maskers.Independent(np.zeros((1, n)))
        explainer = shap.PermutationExplainer(game, masker, seed=seed)
        return explainer(np.ones((1, n)), max_evals=budget, silent=True).values

    return {
        "shap Kernel": kernel(False),
        "shap Kernel, default l1_reg": kernel("num_features(10)"),
        "shap Permutation": permutation,
    }


def of_shapiq() -> dict[str, Explain]:
    from shapiq import approximator as offered

    def explain_by(name: str, **told: object) -> Explain:
        def explain(game: Counted, budget: int, seed: int) -> Array:
            made = getattr(offered, name)(n=game.game.n, random_state=seed, **told)
            found = made.approximate(budget, game)
            values = np.zeros(game.game.n)
            for players, place in found.interaction_lookup.items():
                if len(players) == 1:
                    values[players[0]] = found.values[place]
            return values

        return explain

    return {
        "shapiq KernelSHAP": explain_by("KernelSHAP"),
        "shapiq LeverageSHAP": explain_by("LeverageSHAP"),
        "shapiq OddSHAP": explain_by("OddSHAP"),
        "shapiq ProxySHAP": explain_by("ProxySHAP", index="SV", max_order=1, adjustment=True),
        "shapiq RegressionMSR": explain_by("RegressionMSR", index="SV"),
    }


def of_captum() -> dict[str, Explain]:
    import torch
    from captum.attr import KernelShap, ShapleyValueSampling

    def explain_by(kind: object, told: object) -> Explain:
        def explain(game: Counted, budget: int, seed: int) -> Array:
            torch.manual_seed(seed)  # noqa: TID251 - what this library draws from
            np.random.seed(seed)  # noqa: NPY002 - and from this
            n = game.game.n

            def forward(keep: torch.Tensor) -> torch.Tensor:
                return torch.from_numpy(game(keep.numpy()))

            made = kind(forward)
            ends = (torch.ones(1, n), torch.zeros(1, n))
            return made.attribute(*ends, **told(budget, n)).double().numpy()

        return explain

    def sets(budget: int, n: int) -> dict[str, int]:
        return {"n_samples": budget - 1, "perturbations_per_eval": budget}

    def orders(budget: int, n: int) -> dict[str, int]:
        return {"n_samples": max(1, (budget - 1) // n), "perturbations_per_eval": 64}

    return {
        "captum KernelShap": explain_by(KernelShap, sets),
        "captum ShapleyValueSampling": explain_by(ShapleyValueSampling, orders),
    }


def main() -> None:
    warnings.simplefilter("ignore")
    library = sys.argv[1]
    estimators = {"shap": of_shap, "shapiq": of_shapiq, "captum": of_captum}[library]()
    print(json.dumps({"version": version(library), "estimators": list(estimators)}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        games = read(Path(asked["file"]))
        start = time.process_time()
        found = played(estimators[asked["estimator"]], games, asked["budget"])
        print(json.dumps(found | {"cpu": time.process_time() - start}), flush=True)


if __name__ == "__main__":
    main()
