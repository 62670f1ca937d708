"""CPU time of metrics that judge explanations, against quantus: same network, attributions and changes.

Where the two define a metric alike the numbers must be equal (their largest difference is shown), and they do here:
deletion curve (PixelFlipping, one feature at a time, hidden behind 0), faithfulness correlation on the same sets,
infidelity with quantus' growing blocks, max-sensitivity with the same noise, rank correlation as layers are drawn anew
with the same new weights. Quantus draws sets and noise from numpy's global state, so they are drawn here again from the
same seed to compare; what is timed draws its own. Both sides get the network in the memory layout that is fastest for it.

The defaults differ, and none of this is in the timed work: ours hide features behind background rows, score log-odds,
draw sets of every size for infidelity (quantus hides one block after the other, and repeats the same ten times), divide
infidelity by that of attributions of zero, and put every number beside chance.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1]))

from harness import RESULTS, Row, arguments, finish, load

from fivefold.data import Bundled
from fivefold.explanation.rank import rank_correlation
from fivefold.explanation.trust.correlation import pearson
from fivefold.explanation.trust.fall import claimed, fall_of
from fivefold.explanation.trust.misfit import misfit
from fivefold.explanation.trust.redraw import redrawn_from_the_top
from fivefold.explanation.trust.sensitivity import largest_change
from fivefold.explanation.trust.sets import sets_of_size
from fivefold.learning import Finetune
from fivefold.models import MLP, ConvNet, fresh
from fivefold.models.prepare import PrepareImage, PrepareTable
from fivefold.perturb import Groups, in_parts

PEER = Path(__file__).parents[2] / ".peers" / "quantus" / "bin" / "python"
CASES = (("digits", ConvNet()), ("breast_cancer", MLP(hidden=(64, 64))))
EPS, CLOSE, PART = 0.05, 2e-4, 1024


class Case(NamedTuple):
    """What both sides are given. `hidden` are the sets that quantus draws from numpy's seed 0."""

    net: nn.Sequential
    x: Tensor
    target: Tensor
    values: Tensor
    groups: Groups
    hidden: Tensor
    moved: Tensor
    stages: list[nn.Module]
    size: int


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def layers(net: nn.Module) -> Iterator[tuple[list[Any], nn.Module]]:
    """Yield the layers, in words that the other side understands."""
    for layer in net.modules():
        match layer:
            case nn.Linear():
                yield ["linear", layer.in_features, layer.out_features], layer
            case nn.Conv2d():
                yield ["conv", layer.in_channels, layer.out_channels], layer
            case nn.ReLU():
                yield ["relu"], layer
            case nn.MaxPool2d():
                yield ["pool"], layer
            case nn.Flatten():
                yield ["flatten"], layer
            case PrepareImage():
                yield ["shift"], layer
            case nn.Sequential():
                pass
            case _:
                raise TypeError(f"{type(layer).__name__} is not told to the other side.")


def weights_of(net: nn.Module) -> dict[str, Tensor]:
    held = [m for m in net.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    return {
        f"{i}.{k}": p.detach().contiguous()
        for i, m in enumerate(held)
        for k, p in m.named_parameters()
    }


def gradient(net: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    """Return the gradient of one logit of each row."""

    def some(part: Tensor) -> Tensor:
        inputs = x[part].requires_grad_()
        picked = net(inputs).gather(1, target[part][:, None]).sum()
        return torch.autograd.grad(picked, inputs)[0].flatten(1)

    return torch.cat(list(in_parts(some, torch.arange(len(x)), PART)))


def case(name: str, architecture: MLP | ConvNet, n: int, runs: int, samples: int) -> Case:
    data = Bundled(name=name).load(Path(), seeded(0))
    model = Finetune(epochs=20)(
        fresh(architecture, data, seeded(1)), data.splits.seen, rng=seeded(2)
    )
    net, x = model.net.eval(), data.splits.test.x[:n]
    if isinstance(
        net[0], PrepareTable
    ):  # quantus wants pictures, so a table is a picture of one line
        x, net = net[0](x).detach()[:, None, None], nn.Sequential(nn.Flatten(), *net[1:])
    net = net.requires_grad_(False).to(memory_format=torch.channels_last)
    target = net(x).argmax(1)
    count = x[0].numel()
    groups = Groups(tuple(map(str, range(count))), torch.arange(count), (count,))
    size = count // 4
    drawn = np.random.RandomState(0)
    hidden = torch.zeros(len(x), runs, count, dtype=torch.bool)
    for run in range(runs):
        for row in range(len(x)):
            hidden[row, run, drawn.choice(count, size, replace=False)] = True
    drawn = np.random.RandomState(0)
    noise = [drawn.uniform(low=-EPS, high=EPS, size=(len(x), count)) for _ in range(samples)]
    moved = x + torch.from_numpy(np.stack(noise)).float().reshape(samples, *x.shape)
    stages = [made for _, made in redrawn_from_the_top(net, 99, seeded(4))]
    return Case(net, x, target, gradient(net, x, target), groups, hidden, moved, stages, size)


def ours(made: Case, samples: int) -> dict[str, tuple[Callable[[], Tensor], Callable[[], Tensor]]]:
    """Return each metric twice: on what quantus drew, to compare, and with its own draws, to time."""
    net, x, target, values, groups, hidden, moved, stages, size = made
    nothing = torch.zeros_like(x[:1])

    def score(inputs: Tensor) -> Tensor:
        with torch.inference_mode():
            return torch.cat([net(part).softmax(-1) for part in inputs.split(PART)])

    def curve() -> Tensor:
        place = values.argsort(dim=1, descending=True, stable=True).argsort(1)
        gone = place[:, None] < torch.arange(1, groups.n + 1)[:, None]
        return score(x).gather(1, target[:, None]) - fall_of(
            score, x, nothing, gone, groups, target
        )

    def correlation(sets: Tensor) -> Tensor:
        fall = fall_of(score, x, nothing, sets, groups, target)
        return pearson(claimed(values, sets), fall)

    def infidelity() -> Tensor:
        growing = torch.ones(groups.n, groups.n, dtype=torch.bool).tril().expand(len(x), -1, -1)
        fall = fall_of(score, x, nothing, growing, groups, target)
        return misfit(claimed(values * x.flatten(1), growing), fall).error

    def sensitivity(near: Tensor) -> Tensor:
        found = gradient(net, near.flatten(0, 1), target.repeat(samples))
        return largest_change(values, found.unflatten(0, (samples, len(x))))

    def noise() -> Tensor:
        return x + EPS * (2 * torch.rand(samples, *x.shape, generator=seeded(0)) - 1)

    def redrawn(nets: list[nn.Module]) -> Tensor:
        return torch.stack([rank_correlation(values, gradient(n, x, target)) for n in nets])

    def drawn() -> list[nn.Module]:
        return [m for _, m in redrawn_from_the_top(net, 99, seeded(0))]

    def sets() -> Tensor:
        return sets_of_size(len(x), hidden.shape[1], groups.n, size, seeded(0))

    return {
        "pixel flipping": (curve, curve),
        "faithfulness correlation": (lambda: correlation(hidden), lambda: correlation(sets())),
        "infidelity": (infidelity, infidelity),
        "max-sensitivity": (lambda: sensitivity(moved), lambda: sensitivity(noise())),
        "parameter randomisation": (lambda: redrawn(stages), lambda: redrawn(drawn())),
    }


def theirs(made: Case, asked: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        given = {"x": made.x, "target": made.target, "values": made.values.reshape(made.x.shape)}
        save_file({k: v.contiguous() for k, v in given.items()}, folder / "given.safetensors")
        save_file(weights_of(made.net), folder / "weights.safetensors")
        for i, stage in enumerate(made.stages):
            save_file(weights_of(stage), folder / f"stage{i:02}.safetensors")
        told = {"layers": [t for t, _ in layers(made.net)], "size": made.size, "eps": EPS, **asked}
        (folder / "asked.json").write_text(json.dumps(told))
        script = Path(__file__).parent / "quantus_peer.py"
        subprocess.run([PEER, "-W", "ignore", script, folder], check=True)
        return dict(np.load(folder / "found.npz"))


def difference(found: np.ndarray, wanted: np.ndarray) -> float:
    """Return the largest relative difference; infinite if one side has a number where the other has none."""
    if not np.array_equal(np.isnan(found), np.isnan(wanted)):
        return float("inf")
    return float(np.nanmax(np.abs(found - wanted) / np.maximum(1, np.abs(wanted))))


def rows(name: str, architecture: MLP | ConvNet, n: int, asked: dict[str, Any]) -> Iterator[Row]:
    made = case(name, architecture, n, asked["runs"], asked["samples"])
    peer = theirs(made, asked)
    for metric, (compared, timed) in ours(made, asked["samples"]).items():
        found, wanted = compared().double().numpy(), peer[metric].astype(float)
        away = difference(found, wanted)
        seconds = []
        for _ in range(asked["repeats"]):
            start = time.process_time()
            timed()
            seconds.append(time.process_time() - start)
        mine, other = statistics.median(seconds), float(peer[f"seconds of {metric}"])
        yield Row(
            work=f"{metric}, {len(made.x)} rows, {name} {type(architecture).__name__}",
            peer="quantus",
            peer_version=str(peer["version"]),
            ratio=round(other / mine, 2),
            reach=5.0,
            equal_quality=away < CLOSE,
            ours={"cpu seconds": round(mine, 4), "largest difference": away},
            theirs={"cpu seconds": round(other, 4)},
            threads=1,
            load=load(),
        )


def main() -> None:
    asked = arguments(str(__doc__))
    if not PEER.exists():
        sys.exit("skipped: no environment for quantus; make .peers/quantus")
    torch.set_num_threads(1)
    n, work = (60, {"runs": 30, "samples": 20, "repeats": 3}) if asked.quick else (
        200, {"runs": 100, "samples": 50, "repeats": 5}
    )  # fmt: skip
    found = [row for name, architecture in CASES for row in rows(name, architecture, n, work)]
    finish(found, asked.json or RESULTS / "explanation_faithfulness.json")


if __name__ == "__main__":
    main()
