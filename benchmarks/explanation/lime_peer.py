"""The other side of `lime.py`: lime in an environment and a process of its own."""

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from lime_model import log_odds
from safetensors.torch import load_file


def main() -> None:
    sys.path.pop(0)  # this folder has a lime.py of its own
    from lime.lime_tabular import LimeTabularExplainer

    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    asked, held = (
        json.loads((folder / "asked.json").read_text()),
        load_file(folder / "held.safetensors"),
    )
    train, rows, target = held["train"].numpy(), held["rows"].numpy(), held["target"].tolist()
    is_number = asked["sampling"] == "around"
    values = np.zeros((asked["seeds"], *rows.shape))
    seconds = []
    for seed in range(asked["seeds"]):
        explainer = LimeTabularExplainer(
            train,
            mode="regression",
            categorical_features=np.flatnonzero(held["categories"].numpy()).tolist(),
            discretize_continuous=not is_number,
            sample_around_instance=is_number,
            feature_selection="none",
            random_state=seed,
        )
        for i, row in enumerate(rows):

            def score(x: np.ndarray, at: int = target[i]) -> np.ndarray:
                return log_odds(held, torch.from_numpy(x).float(), at).numpy()

            start = time.process_time()
            found = explainer.explain_instance(
                row, score, num_features=rows.shape[1], num_samples=asked["budget"]
            )
            seconds.append(time.process_time() - start)
            for column, value in found.local_exp[1]:
                values[seed, i, column] = value
    np.savez(
        folder / "found.npz",
        values=values,
        seconds=np.median(seconds),
        version=np.array(version("lime")),
    )


if __name__ == "__main__":
    main()
