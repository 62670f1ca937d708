"""An attack on a served model, over HTTP: the guard of a real process refuses it."""

import json
from contextlib import suppress
from pathlib import Path

from serving import Server, command, until_ready
from toy_run import toy_run

from fivefold.core.data import Batch, Dataset, as_tensor
from fivefold.core.loss import cross_entropy
from fivefold.deploy import guard_papers, write_bundle
from fivefold.models import MLP, TorchModel, fresh
from fivefold.perturb import pgd
from seeding import seeded


def test_most_attacked_images_are_refused_and_most_ordinary_ones_answered(
    images: Dataset, trained_images: TorchModel, tmp_path: Path
) -> None:
    start = fresh(MLP(hidden=(32,)), images, seeded())
    run = toy_run(images, start, trained_images)
    papers = guard_papers(trained_images, images.splits.seen)
    write_bundle(run, "plain", trained_images, tmp_path / "b", papers=papers)
    test = images.splits.test.take(slice(0, 20))
    batch = Batch(as_tensor(test.x), test.y)
    evil = pgd(trained_images.net, batch, cross_entropy, images.schema.space(), eps=0.3, steps=20)
    fooled = evil[trained_images.predict(evil).argmax(1) != batch.y]
    assert len(fooled) >= 5
    process = command(tmp_path / "b", "--port", 0, "--json", "--detector", "refuse")
    try:
        assert process.stdout is not None
        told = ""
        for line in process.stdout:
            told += line
            if line.startswith("}"):
                break
        server = Server(int(json.loads(told)["url"].rsplit(":", 1)[1]), process)  # type: ignore[arg-type]
        until_ready(server)
        statuses = [[asked(server, x) for x in some] for some in (as_tensor(test.x), fooled)]
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.communicate(timeout=10)
    ordinary, attacked = statuses
    assert set(ordinary) | set(attacked) <= {200, 403}
    assert ordinary.count(403) <= 4
    assert 2 * attacked.count(403) >= len(attacked)


def asked(server: Server, x: object) -> int:
    values = as_tensor(x)[None]  # type: ignore[arg-type]
    one = {"name": "input", "datatype": "FP32", "shape": list(values.shape), "data": values.flatten().tolist()}  # fmt: skip
    return server.ask("/v2/models/toy/infer", {"inputs": [one]}).status
