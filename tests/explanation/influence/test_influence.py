"""What every method and its result promise."""

import csv
import json
from dataclasses import fields
from io import StringIO
from typing import Any

import pytest
import torch
from influencing import CLASSES, NUMBER, examples, network, schema

from fivefold.core.codec import decode, encode
from fivefold.core.codepoints import encode_texts
from fivefold.core.data import Batch, as_tensor
from fivefold.core.errors import BadInput, NotMeasurable
from fivefold.core.lineage import Claim, Record
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.explanation.influence import (
    TRAK,
    Influencer,
    LastLayerInfluence,
    NearestExamples,
    RandomInfluence,
    TracIn,
    decided,
)
from fivefold.models import CallableModel, TorchModel
from seeding import seeded

ALL = [LastLayerInfluence, NearestExamples, RandomInfluence, TRAK, TracIn]
each = pytest.mark.parametrize("kind", ALL)


@each
@pytest.mark.parametrize("task", [NUMBER, CLASSES])
def test_gives_a_number_for_every_pair_and_repeats(kind, task):
    model, train, rows = network(task, hidden=(4,)), examples(task), examples(task, n=3, seed=1)
    a, b = (kind()(model, train, rows, rng=seeded()) for _ in range(2))
    assert a.values.shape == (3, train.size)
    assert torch.equal(a.values, b.values)
    assert str(a.unit)


@each
def test_is_a_part_that_a_recipe_can_name(kind):
    assert isinstance(kind(), Influencer)
    assert decode(encode(kind()), Influencer) == kind()
    assert [f.name for f in fields(kind) if f"{f.name}:" not in kind.__doc__] == []


@each
def test_a_privacy_guarantee_is_not_broken_unasked(kind, rng):
    told = Record("private", {}, "data", Claim(privacy={"mechanism": "any"}))
    model = network(CLASSES, hidden=(4,)).with_lineage((told,))
    train = examples(CLASSES)
    with pytest.raises(NotMeasurable, match="privacy guarantee"):
        kind()(model, train, train, rng=rng)
    with pytest.raises(NotMeasurable, match="privacy guarantee"):
        kind()([network(CLASSES, hidden=(4,)), model], train, train, rng=rng)
    assert kind(reveal=True)(model, train, train, rng=rng).values.isfinite().all()


@each
def test_bad_input(kind, rng):
    model, train = network(CLASSES, hidden=(4,)), examples(CLASSES)

    def refuses(match, *, of: Any = model, data=train, rows=train):
        with pytest.raises(BadInput, match=match):
            kind()(of, data, rows, rng=rng)

    refuses("no rows", data=train.take(slice(0, 0)))
    refuses("no rows", rows=train.take(slice(0, 0)))
    refuses("no model", of=[])
    refuses("same question", of=[model, network(NUMBER, hidden=(4,))])
    refuses("shape", rows=Batch(as_tensor(train.x)[:, :2], train.y))
    refuses("shape", rows=Batch(as_tensor(train.x)[:5], train.y))
    refuses("whole numbers from 0 to 2", rows=Batch(train.x, train.y + 1))
    refuses("whole numbers", rows=Batch(train.x, train.y.float()))
    broken = as_tensor(train.x).clone()
    broken[4, 1] = torch.nan
    refuses("c1 is missing or infinite in row 4", data=Batch(broken, train.y))
    number = examples(NUMBER)
    number.y[3] = torch.inf
    refuses("target is missing", of=network(NUMBER), data=number, rows=number)


def test_gaps_are_welcome_where_the_schema_says_so(rng):
    columns = tuple(Column(name=f"c{i}", is_optional=True) for i in range(3))
    own = Schema(columns=columns, shape=(3,))
    model = network(CLASSES, hidden=(4,))
    net = model.architecture.build(own, CLASSES, rng)
    model = TorchModel(net, CLASSES, own, model.architecture)
    train = examples(CLASSES)
    as_tensor(train.x)[2, 0] = torch.nan
    found = TracIn()(model, train, train, rng=rng)
    assert found.top(2).helpful[0].columns
    assert found.values.isfinite().all()


def test_those_of_a_decision_ask_about_the_predicted_class(rng):
    model, rows = network(CLASSES, hidden=(4,)), examples(CLASSES, n=6)
    assert torch.equal(decided(model, rows.x).y, model.predict(rows.x).argmax(1))
    number = network(NUMBER)
    assert torch.equal(decided(number, rows.x).y, number.predict(rows.x)[:, 0])


def test_nearest_examples_of_a_class_speak_for_it(rng):
    train = Batch(torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]]), torch.tensor([0, 1, 2]))
    rows = Batch(torch.tensor([[0.9, 0.1, 0.0]]), torch.tensor([0]))
    found = NearestExamples(space="inputs")(network(CLASSES), train, rows, rng=rng)
    assert found.top(0, 1).helpful[0].train_row == 0
    black = CallableModel(function=lambda x: x, task=CLASSES, schema=schema(), answers="logits")
    again = NearestExamples(space="inputs")(black, train, rows, rng=rng)
    assert torch.equal(found.values, again.values)
    with pytest.raises(NotMeasurable):
        NearestExamples()(black, train, rows, rng=rng)


def made(task, own, x, rng, y=None):
    model = network(task)
    model = TorchModel(model.net, task, own, model.architecture)
    y = torch.arange(len(x)) % max(task.n_outputs, 1) if y is None else y
    data = Batch(x, y)
    return RandomInfluence()(model, data, data.take(slice(0, 2)), rng=rng)


def test_top_names_the_strongest_on_each_side(rng):
    columns = (
        Column(name="age", low=0, high=99),
        Column(name="city", kind="category", categories=("Rome", "=cmd()")),
    )
    own = Schema(columns=columns, shape=(2,))
    x = torch.stack([torch.arange(30.0), torch.arange(30.0) % 2], 1)
    found = made(Task(classes=("no", "yes")), own, x, rng)
    top = found.top(1, 3)
    order = found.values[1].argsort(descending=True).tolist()
    assert [e.train_row for e in top.helpful] == order[:3]
    assert [e.train_row for e in top.harmful] == order[::-1][:3]
    first = top.helpful[0]
    assert first.columns["age"] == first.train_row
    assert first.columns["city"] in ("Rome", "=cmd()")
    assert first.label == ("no", "yes")[first.train_row % 2]
    told = json.loads(found.to_json(2))
    assert told["rows"][1]["helpful"][0]["train_row"] == first.train_row
    assert "training data" in told["warning"]
    lines = list(csv.DictReader(StringIO(found.to_csv(2))))
    assert len(lines) == 8
    assert all(not line["city"].startswith("=") for line in lines)
    page = found._repr_html_()
    assert "age" in page
    assert "<script" not in page


def test_examples_without_influence_are_not_shown(rng):
    found = made(CLASSES, schema(), torch.randn(4, 3, generator=seeded()), rng)
    found.values.zero_()
    assert found.top(0, 3) == ((), ())
    assert found.to_csv().count("\n") == 1
    assert found._repr_html_()
    assert found.plot(0)


@pytest.mark.parametrize(("row", "k"), [(-1, 3), (2, 3), (0, 0)])
def test_rows_that_do_not_exist(row, k, rng):
    with pytest.raises(BadInput, match="There is no row"):
        made(CLASSES, schema(), torch.randn(4, 3, generator=seeded()), rng).top(row, k)


def test_draws_on_the_axes_given_and_shows_images_and_texts(rng):
    from matplotlib.figure import Figure

    axes = Figure().subplots(3)
    pictures = made(
        CLASSES, Schema(shape=(1, 4, 4)), torch.rand(9, 1, 4, 4, generator=seeded()), rng
    )
    words = encode_texts([f"很好 <b>{i}" for i in range(9)], 20)
    texts = made(CLASSES, Schema(shape=(20,), is_text=True), words, rng)
    table = made(CLASSES, schema(), torch.randn(9, 3, generator=seeded()), rng)
    for found, ax in zip((pictures, texts, table), axes, strict=True):
        assert found.plot(0, 2, ax=ax) is ax
        ax.figure.canvas.draw()
    assert len(axes[0].images) == 5
    assert "data:image/png" in pictures._repr_html_()
    assert "&lt;b&gt;" in texts._repr_html_()
    assert str(texts.top(0, 1).helpful[0].columns["text"]).startswith("很好")
