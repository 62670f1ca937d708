"""The detector inside a bundle, and what it does to an attack."""

from pathlib import Path

import pytest
import torch
from toy_run import toy_run

from fivefold.core.data import Batch, Dataset, as_tensor
from fivefold.core.errors import Damaged
from fivefold.core.lineage import Claim, Record
from fivefold.core.loss import cross_entropy
from fivefold.deploy import guard_papers, load_bundle, read_guard, verify_bundle, write_bundle
from fivefold.deploy.server.alarm import Alarm
from fivefold.deploy.server.call import Call
from fivefold.deploy.server.forward import forward_of
from fivefold.deploy.server.refused import Refused
from fivefold.models import TorchModel
from fivefold.perturb import pgd
from fivefold.security import Detection
from seeding import seeded


@pytest.fixture
def folder(table: Dataset, untrained: TorchModel, trained: TorchModel, tmp_path: Path) -> Path:
    run = toy_run(table, untrained, trained)
    papers = guard_papers(trained, table.splits.seen)
    write_bundle(run, "plain", trained, tmp_path / "b", papers=papers)
    return tmp_path / "b"


def test_a_bundle_carries_its_detector(folder: Path, table: Dataset) -> None:
    verify_bundle(folder)
    model, _ = load_bundle(folder)
    found = read_guard(folder)
    assert found is not None
    guard, fitted = found
    assert guard.threshold == fitted.threshold
    x = table.splits.test.x[:5]  # type: ignore[index]
    answer = forward_of(model, fitted)(x)
    assert answer.scores is not None
    torch.testing.assert_close(torch.from_numpy(answer.scores), fitted.score(model, x))
    torch.testing.assert_close(torch.from_numpy(answer.outputs), model.predict(x))


def test_its_numbers_come_along(trained: TorchModel, table: Dataset) -> None:
    found = Detection(n_examples=40, steps=3, eps=1.0)(trained, table.splits, rng=seeded())
    papers = guard_papers(trained, table.splits.seen, tuple(found))
    assert b"false_positive_rate" in str(papers["guard.json"]).encode()


def test_a_changed_detector_is_noticed(folder: Path) -> None:
    file = folder / "guard.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(Damaged):
        verify_bundle(folder)
    file.write_bytes(b"nothing")
    with pytest.raises(Damaged):
        read_guard(folder)


def test_a_private_model_gets_none(trained: TorchModel, table: Dataset) -> None:
    claim = Claim(reads_data=True, privacy={"epsilon": 1.0})
    private = trained.with_lineage((*trained.lineage, Record("p", {}, "f", claim)))
    assert guard_papers(private, table.splits.seen) == {}


async def through(model: TorchModel, alarm: Alarm, work: object, x: torch.Tensor) -> Call:
    call = Call({}, None, {}, "infer", 0.0)  # type: ignore[arg-type]
    call.x = x

    async def inner(call: Call) -> None:
        call.answer = work(call.x)  # type: ignore[operator]

    await alarm(call, inner)
    return call


def test_an_adversarial_image_is_refused_and_the_ordinary_ones_are_not(
    trained_images: TorchModel, images: Dataset
) -> None:
    import asyncio

    from fivefold.security import Mahalanobis

    fitted = Mahalanobis().fit(trained_images, images.splits.seen, fpr=0.05)
    work = forward_of(trained_images, fitted)
    test = images.splits.test
    batch = Batch(test.x[:20], test.y[:20])  # type: ignore[index]
    evil = pgd(trained_images.net, batch, cross_entropy, images.schema.space(), eps=0.3, steps=20)
    assert (trained_images.predict(evil).argmax(1) != batch.y).any()
    alarm = Alarm(fitted.threshold)
    refused = 0
    for x in evil:
        try:
            asyncio.run(through(trained_images, alarm, work, x[None]))
        except Refused as why:
            assert (why.status, why.refusal) == (403, "detector")
            refused += 1
    assert refused >= 10
    flagged = asyncio.run(through(trained_images, replace_mode(alarm), work, evil)).flagged
    assert len(flagged) == refused
    assert work(as_tensor(batch.x)).scores is not None


def replace_mode(alarm: Alarm) -> Alarm:
    return Alarm(alarm.threshold, refuses=False)
