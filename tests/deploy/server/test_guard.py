"""The detector inside a bundle, and what it does to an attack."""

from pathlib import Path

import pytest
import torch
from toy_run import toy_run

from fivefold.core.data import Batch, Dataset, as_tensor
from fivefold.core.errors import Damaged
from fivefold.core.lineage import Claim, Record
from fivefold.core.loss import cross_entropy
from fivefold.deploy import (
    guard_findings,
    guard_papers,
    load_bundle,
    read_guard,
    verify_bundle,
    write_bundle,
)
from fivefold.deploy.guard import rate_for
from fivefold.deploy.server.alarm import Alarm
from fivefold.deploy.server.call import Call
from fivefold.deploy.server.forward import Work, forward_of
from fivefold.deploy.server.personal import Personal
from fivefold.deploy.server.refused import Refused
from fivefold.models import TorchModel
from fivefold.perturb import pgd
from fivefold.privacy import PersonalScreen
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
    scores = torch.from_numpy(answer.scores).double()
    torch.testing.assert_close(scores, fitted.score(model, x), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(torch.from_numpy(answer.outputs), model.predict(x))


def test_its_numbers_come_along(trained: TorchModel, table: Dataset) -> None:
    found = guard_findings(trained, table.splits, rng=seeded())
    strange = Detection(n_examples=20, steps=2, fpr=0.3)(trained, table.splits, rng=seeded())
    papers = guard_papers(trained, table.splits.seen, (*strange, *found))
    told = str(papers["guard.json"])
    assert "tpr_at_2_percent_fpr" in told
    assert "adaptive" in told
    assert "nominal 0.02" in told
    assert "30_percent" not in told
    assert "nominal 0.3" not in told


def test_a_small_validation_split_allows_no_small_rate(table: Dataset) -> None:
    seen = table.splits.seen
    assert rate_for(seen) == 0.02
    assert rate_for(seen._replace(valid=seen.valid.take(slice(0, 40)))) == 0.05


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


def through(alarm: Alarm, work: Work, x: torch.Tensor) -> Call:
    call = Call({}, {}, "infer", 0.0)
    call.x, call.answer = x, work(x)
    alarm(call)
    return call


def test_an_adversarial_image_is_refused_and_the_ordinary_ones_are_not(
    trained_images: TorchModel, images: Dataset
) -> None:
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
            through(alarm, work, x[None])
        except Refused as why:
            assert (why.status, why.refusal) == (403, "detector")
            refused += 1
    assert refused >= 10
    flagged = through(Alarm(alarm.threshold, refuses=False), work, evil).flagged
    assert len(flagged) == refused
    assert work(as_tensor(batch.x)).scores is not None


def test_personal_data_are_refused_by_kind_and_never_repeated() -> None:
    guard = Personal(PersonalScreen())
    call = Call({}, {}, "infer", 0.0)
    call.strings = ("an ordinary question", "订单 20240115 已发货")
    guard(call)
    call.strings = ("write to ann@example.org", "手机 13912345678")
    with pytest.raises(Refused, match="Personal data") as refused:
        guard(call)
    assert (refused.value.status, refused.value.refusal) == (422, "personal")
    told = refused.value.reason.words("zh") + str(refused.value.reason)
    assert "ann@" not in told
    assert "1391" not in told
