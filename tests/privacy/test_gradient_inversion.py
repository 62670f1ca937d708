"""An update of one row is that row; noise hides it, clipping does not."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from fivefold.core.data import Batch
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Evidence
from fivefold.core.lineage import Claim, Record
from fivefold.core.schema import Schema
from fivefold.core.task import Task
from fivefold.models import ConvNet, TorchModel, fresh
from fivefold.privacy import DPSGD, Federated, GradientInversion
from fivefold.privacy.federated import ClientPrivacy
from seeding import seeded

ONE = GradientInversion(batch_sizes=(1,), local_steps=(1,), iterations=20)


def found_of(probe, model, data):
    found = [f for f in probe(model, data.splits, rng=seeded(4)) if isinstance(f, Evidence)]
    return {f.key.removeprefix("privacy."): f for f in found}


def floor_of(one):
    assert one.floor is not None
    return one.floor


def after(model, claim):
    return model.with_lineage((Record("last", {}, "data", claim),))


def test_one_row_of_a_table_comes_back_exactly(trained, table):
    found = found_of(ONE, trained, table)
    error, share = (
        found["inversion_error[batch 1, 1 step]"],
        found["inverted_rows[batch 1, 1 step]"],
    )
    assert error.high < 1e-3 < 0.5 < floor_of(error)
    assert (share.value, share.floor) == (1.0, 0.0)
    assert share.low == pytest.approx(0.025 ** (1 / 8), abs=1e-3)  # exact for eight of eight
    assert (error.better, share.better) == ("higher", "lower")
    assert "proves nothing" in str(error.note)


def test_one_image_comes_back_exactly(trained_images, images):
    found = found_of(replace(ONE, local_steps=(3,)), trained_images, images)
    one = found["inversion_psnr[batch 1, 3 steps]"]
    assert one.low > 60.0 > 20.0 > floor_of(one)


@pytest.mark.parametrize("sigma", [1.0, 3.0])
def test_noise_of_the_plan_hides_images(sigma, trained_images, images):
    claim = DPSGD(noise_multiplier=sigma).claim(180)
    found = found_of(ONE, after(trained_images, claim), images)
    assert found[f"inversion_psnr[batch 1, 1 step, sigma {sigma:.4g}]"].high < 20.0
    assert found[f"inverted_rows[batch 1, 1 step, sigma {sigma:.4g}]"].value == 0.0


def test_noise_of_the_plan_hides_rows(trained, table):
    found = found_of(ONE, after(trained, DPSGD(noise_multiplier=1.0).claim(250)), table)
    assert found["inversion_error[batch 1, 1 step, sigma 1]"].value > 0.5


def test_the_server_of_a_private_federation_still_sees_the_rows(trained, table):
    claim = Federated(private=ClientPrivacy(noise_multiplier=1.0)).claim(250)
    found = found_of(ONE, after(trained, claim), table)
    assert found["inverted_rows[batch 1, 1 step, clipped]"].value == 1.0
    assert found["inverted_rows[batch 1, 1 step, sigma 1]"].value < 0.3
    assert "not from the server" in str(found["inversion_error[batch 1, 1 step, clipped]"].note)


def test_descent_finds_what_no_quotient_does(images):
    """Without a bias in the first layer nothing can be divided."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 40, bias=False), nn.Tanh(), nn.Linear(40, 3))
    for w in net.parameters():
        w.data = torch.randn(w.shape, generator=seeded(len(w))) / 4
    model = TorchModel(net, images.task, images.schema, ConvNet())
    probe = replace(ONE, iterations=150, n_clients=4, smoothness=0.0)
    one = found_of(probe, model, images)["inversion_psnr[batch 1, 1 step]"]
    assert one.low > floor_of(one) + 5.0


def test_convolutions_run(images):
    model = fresh(ConvNet(width=2, hidden=8), images, seeded())
    probe = replace(ONE, iterations=2, n_clients=2)
    assert isinstance(found_of(probe, model, images)["inversion_psnr[batch 1, 1 step]"], Evidence)


def test_settings_change_one_at_a_time(trained, table):
    probe = replace(ONE, batch_sizes=(1, 2), local_steps=(1, 2), iterations=2)
    found = [k for k in found_of(probe, trained, table) if k.startswith("inversion_error")]
    assert [k.partition("[")[2] for k in found] == [
        "batch 1, 1 step]", "batch 2, 1 step]", "batch 1, 2 steps]"
    ]  # fmt: skip


def test_the_chart_shows_chance_beside_the_attack(trained, table):
    chart = found_of(ONE, trained, table)["inversion_error[batch 1, 1 step]"].chart
    assert chart is not None
    assert [row["guess"] for row in chart.rows] == ["attack", "chance"]


def test_rows_that_are_too_few(trained, table):
    train = table.splits.seen.train.take(slice(0, 7))
    splits = table.splits._replace(seen=table.splits.seen._replace(train=train))
    with pytest.raises(NotMeasurable, match="8"):
        GradientInversion()(trained, splits, rng=seeded())


def test_inputs_that_are_neither_numbers_nor_tokens(trained, table):
    whole = Batch(table.splits.test.x.long(), table.splits.test.y)
    with pytest.raises(NotMeasurable, match="neither"):
        ONE(trained, table.splits._replace(test=whole), rng=seeded())


def test_a_layer_that_keeps_statistics_is_refused(table):
    net = nn.Sequential(nn.BatchNorm1d(6), nn.Linear(6, 2))
    model = TorchModel(net, Task(classes=("no", "yes")), Schema(shape=(6,)), ConvNet())
    with pytest.raises(NotMeasurable, match="BatchNorm1d"):
        ONE(model, table.splits, rng=seeded())


def test_nothing_to_train_is_refused(trained, table):
    model = trained.with_net(nn.Sequential(nn.Linear(6, 2)).requires_grad_(False))
    with pytest.raises(NotMeasurable, match="trained"):
        ONE(model, table.splits, rng=seeded())


def test_a_model_that_has_blown_up(trained, table):
    head = nn.Linear(6, 2)
    head.weight.data.fill_(torch.nan)
    with pytest.raises(NotMeasurable, match="finite"):
        ONE(trained.with_net(nn.Sequential(head)), table.splits, rng=seeded())


@pytest.mark.parametrize("changed", [{"batch_sizes": ()}, {"local_steps": (1, 1)}])
def test_settings_that_say_nothing_are_refused(changed):
    with pytest.raises(ValueError, match="different"):
        GradientInversion(**changed)


def test_a_plain_step_after_a_private_one_hides_nothing(trained, table):
    records = tuple(Record("s", {}, "d", c) for c in (DPSGD().claim(250), Claim()))
    assert "inversion_error[batch 1, 1 step]" in found_of(ONE, trained.with_lineage(records), table)
