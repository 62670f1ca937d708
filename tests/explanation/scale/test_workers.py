"""Real processes, and a real Ray where its environment is there (`make .peers/ray`)."""

import os
import subprocess
from pathlib import Path

import pytest
import torch
from games import of_columns

from fivefold.core.errors import BadInput
from fivefold.core.text import Text
from fivefold.explanation import LeverageSHAP
from fivefold.explanation.scale import Scale, explain_all
from fivefold.explanation.scale.work import Job, arrived, done, done_elsewhere
from fivefold.perturb import Features
from seeding import seeded

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
RAY = ROOT / ".peers" / "ray" / "bin" / "python"


def streamed(model, rows, background, workers: int):
    method = LeverageSHAP(budget=40, draws=2)
    scale = Scale(size=5, workers=workers)
    return list(explain_all(model, rows, background, method, rng=seeded(3), scale=scale))


def test_other_processes_say_the_same(trained, table):
    x, background = table.splits.test.x[:23], table.splits.seen.train.x[:12]
    alone = streamed(trained, x, background, 0)
    together = streamed(trained, x, background, 2)
    assert [len(f.values) for f in together] == [5, 5, 5, 5, 3]
    for one, other in zip(alone, together, strict=True):
        assert torch.allclose(one.values, other.values, atol=1e-6)
        assert one.error is not None
        assert other.error is not None
        assert torch.allclose(one.error, other.error, atol=1e-6)
        assert one.x is not None
        assert other.x is not None
        assert torch.equal(one.x, other.x)
        assert one.names == other.names
        assert str(one.unit) == str(other.unit)


def test_an_error_arrives_as_it_was_raised(trained, table):
    x = table.splits.test.x[:3].clone()
    x[1, 0] = torch.nan
    job = Job(
        model=trained,
        background=table.splits.test.x,
        method="leverage",
        explainer=LeverageSHAP(),
        reason=Text(""),
        features=Features(),
        seed=1,
    )
    with pytest.raises(BadInput) as here:
        done(job, x)
    with pytest.raises(BadInput) as there:
        arrived(done_elsewhere(job, x.numpy()))
    assert there.value.words("zh") == here.value.words("zh")
    assert "c0" in there.value.words()


def test_a_model_that_cannot_travel_is_refused_before_any_process_starts():
    model = of_columns(3, lambda x: x.sum(1))
    x = torch.randn(4, 3, generator=seeded())
    with pytest.raises(BadInput, match="workers = 0"):
        streamed(model, x, x, 2)


@pytest.mark.slow
@pytest.mark.skipif(not RAY.exists(), reason="no environment for ray; make .peers/ray")
def test_ray_says_the_same():
    where = {"PYTHONPATH": f"{ROOT / 'src'}:{HERE}", "OMP_NUM_THREADS": "1"}
    script = HERE / "ray_run.py"
    told = subprocess.run(
        [RAY, script],
        env=os.environ | where,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert told.returncode == 0, told.stderr[-2000:]
    assert "the same" in told.stdout
