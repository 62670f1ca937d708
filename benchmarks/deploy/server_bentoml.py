"""The same model served by BentoML, with its adaptive batching."""

import os
from pathlib import Path

import bentoml
import numpy as np
import torch
from server_model import batch, load


@bentoml.service(workers=1, traffic={"timeout": 60})
class Digits:
    def __init__(self) -> None:
        torch.set_num_threads(1)
        self.net = load(Path(os.environ["BENCH_MODEL"]))

    @bentoml.api(batchable=True, max_batch_size=32, max_latency_ms=1000, route="/infer")
    def infer(self, x: np.ndarray) -> np.ndarray:
        return batch(self.net, torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))).numpy()
