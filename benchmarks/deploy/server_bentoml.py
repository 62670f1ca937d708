"""The same model served by BentoML, with or without its adaptive batching (BENCH_BATCH, BENCH_LATENCY)."""

import os
from pathlib import Path

import bentoml
import numpy as np
import torch
from server_model import batch, load

SIZE, LATENCY = int(os.environ["BENCH_BATCH"]), int(os.environ["BENCH_LATENCY"])
BATCHING = (
    {"batchable": True, "max_batch_size": SIZE, "max_latency_ms": LATENCY} if SIZE > 1 else {}
)


@bentoml.service(workers=1, traffic={"timeout": 60})
class Digits:
    def __init__(self) -> None:
        torch.set_num_threads(1)
        self.net = load(Path(os.environ["BENCH_MODEL"]))

    @bentoml.api(**BATCHING, route="/infer")
    def infer(self, x: np.ndarray) -> np.ndarray:
        return batch(self.net, torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))).numpy()
