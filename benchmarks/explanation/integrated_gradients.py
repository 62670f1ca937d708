"""Gradient evaluations that integrated gradients need until the values of every row add up, against captum.

Both sides integrate the log-odds of the predicted class along the same lines, from the mean training row. captum
takes one number of steps for all rows: the smallest that brings as many rows within the tolerance as ours, and
at most 1,024; where even those bring fewer, the ratio is a lower bound and the row says so. How far
the values themselves are from a very fine sum is shown beside, because adding up is only a sign of it.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))

from harness import RESULTS, Row, arguments, finish, load

from fivefold.core.task import Task
from fivefold.data import Bundled
from fivefold.explanation import IntegratedGradients
from fivefold.learning import Finetune
from fivefold.models import MLP, ConvNet, TorchModel, fresh
from fivefold.models.prepare import PrepareImage, PrepareTable
from fivefold.perturb import Features

PEER = Path(__file__).parents[2] / ".peers" / "captum" / "bin" / "python"
STEPS = [4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 128, 160, 192, 256, 384, 512, 768, 1024]  # fmt: skip
CASES = (
    ("digits", MLP(hidden=(256, 256))),
    ("digits", ConvNet()),
    ("breast_cancer", MLP(hidden=(64, 64))),
)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def layers(net: nn.Module) -> list[list[Any]]:
    """Return the layers behind preparation, in words that the other side understands."""
    told: list[list[Any]] = []
    for layer in net.modules():
        match layer:
            case nn.Linear():
                told.append(["linear", layer.in_features, layer.out_features])
            case nn.Conv2d():
                told.append(["conv", layer.in_channels, layer.out_channels])
            case nn.ReLU():
                told.append(["relu"])
            case nn.MaxPool2d():
                told.append(["pool"])
            case nn.Flatten():
                told.append(["flatten"])
            case nn.Sequential() | PrepareImage() | PrepareTable():
                pass
            case _:
                raise TypeError(f"{type(layer).__name__} is not told to the other side.")
    return told


def theirs(model: TorchModel, x: torch.Tensor, start: torch.Tensor, folder: Path) -> dict[str, Any]:
    """Return captum's gaps and values for every number of steps."""
    assert isinstance(model.net, nn.Sequential)
    prepare = model.net[0]
    with torch.no_grad():
        ends = {"x": prepare(x), "start": prepare(start)}
    save_file({k: v.contiguous() for k, v in ends.items()}, folder / "ends.safetensors")
    linear = [m for m in model.net.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    weights = {
        f"{i}.{n}": p.detach() for i, m in enumerate(linear) for n, p in m.named_parameters()
    }
    save_file(weights, folder / "weights.safetensors")
    (folder / "asked.json").write_text(json.dumps({"layers": layers(model.net), "steps": STEPS}))
    script = Path(__file__).parent / "captum_peer.py"
    subprocess.run([PEER, script, folder], check=True)
    return dict(np.load(folder / "found.npz"))


def row(name: str, architecture: MLP | ConvNet, tolerance: float, n: int) -> list[Row]:
    data = Bundled(name=name).load(Path(), seeded(0))
    model = fresh(architecture, data, seeded(1))
    model = Finetune(epochs=20)(model, data.splits.seen, rng=seeded(2))
    assert isinstance(model, TorchModel)
    x, start = data.splits.test.x[:n], data.splits.seen.train.x.mean(0, keepdim=True)
    side = 1 if data.schema.is_table else data.schema.shape[-1]
    explainer = IntegratedGradients(
        tolerance=tolerance, most_intervals=1024, features=Features(grid=side)
    )
    with tempfile.TemporaryDirectory() as folder:
        peer = theirs(model, x, start, Path(folder))
    output = torch.from_numpy(peer["output"])
    ours = own(explainer, model, x, start, output)
    fine = torch.from_numpy(peer["values"][-1])
    gaps = torch.from_numpy(peer["gaps"])
    away = [off(torch.from_numpy(v), fine) for v in peer["values"]]
    work = f"integrated gradients, {name} {type(architecture).__name__}, tolerance {tolerance:g}"
    cases = {
        "as many rows within it": (gaps > tolerance).sum(1) <= int((ours["gap"] > tolerance).sum()),
        "equal mean error (a stop row by row leaves each row just below the tolerance)": gaps.mean(
            1
        )
        <= float(ours["gap"].mean()),
    }
    return [
        Row(
            work=f"{work}: {case}" + ("" if reached.any() else " (captum never: at least)"),
            peer="captum",
            peer_version=str(peer["version"]),
            ratio=round(STEPS[i] / ours["evaluations"], 2),
            reach=3.0,
            equal_quality=bool(reached.any()) or is_worse(gaps[i], ours["gap"], tolerance),
            ours=told(ours["evaluations"], ours["gap"], off(ours["values"], fine)),
            theirs=told(STEPS[i], gaps[i], away[i]),
            threads=torch.get_num_threads(),
            load=load(),
        )
        for case, reached in cases.items()
        for i in [int(reached.int().argmax()) if reached.any() else len(STEPS) - 1]
    ]


def own(
    explainer: IntegratedGradients,
    model: TorchModel,
    x: torch.Tensor,
    start: torch.Tensor,
    output: torch.Tensor,
) -> dict[str, Any]:
    """Explain one output per row, so that both sides refine for the same one."""
    values, gaps, evaluations = [], [], 0
    for k in output.unique():
        rows = (output == k).nonzero()[:, 0]
        net = nn.Sequential(*model.net, OneAgainstRest(int(k)))  # type: ignore[misc]
        one = TorchModel(net, Task(classes=("it", "rest")), model.schema, model.architecture)
        found = explainer(one, x[rows], start, rng=seeded(3))
        rise = found.score - found.base
        gaps.append((rows, (found.gap.abs() / rise.abs().clamp(min=1))[:, 0]))
        values.append((rows, found.values[..., 0]))
        evaluations += found.n_evaluations - len(rows) - 1
    return {
        "values": in_order(values),
        "gap": in_order(gaps),
        "evaluations": round(evaluations / len(x), 1),
    }


class OneAgainstRest(nn.Module):
    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        others = torch.cat([logits[:, : self.k], logits[:, self.k + 1 :]], 1)
        return torch.stack([logits[:, self.k], others.logsumexp(1)], 1)


def in_order(parts: list[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
    order = torch.cat([r for r, _ in parts]).argsort()
    return torch.cat([v for _, v in parts])[order]


def off(values: torch.Tensor, fine: torch.Tensor) -> float:
    return float(((values - fine).norm(dim=1) / fine.norm(dim=1)).mean())


def is_worse(theirs: torch.Tensor, ours: torch.Tensor, tolerance: float) -> bool:
    """Whether captum, at its last number of steps, is still no better than ours by either measure."""
    return int((theirs > tolerance).sum()) > int((ours > tolerance).sum()) or float(
        theirs.mean()
    ) > float(ours.mean())


def told(evaluations: float, gap: torch.Tensor, away: float) -> dict[str, Any]:
    return {
        "gradients per row": float(evaluations),
        "largest gap": float(gap.max()),
        "mean gap": float(gap.mean()),
        "values off by": away,
    }


def main() -> None:
    asked = arguments(str(__doc__))
    if not PEER.exists():
        sys.exit("skipped: no environment for captum; make .peers/captum")
    cases = CASES[2:] if asked.quick else CASES
    n = 40 if asked.quick else 200
    rows = [r for c in cases for t in (1e-2, 1e-3) for r in row(*c, t, n)]
    finish(rows, asked.json or RESULTS / "explanation_integrated_gradients.json")


if __name__ == "__main__":
    main()
