import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from fivefold.core.codec import decode, encode
from fivefold.core.errors import BadInput
from fivefold.core.loss import cross_entropy
from fivefold.core.model import Architecture
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.learning import Finetune
from fivefold.models import MLP, ConvNet, ResNet, TorchModel, fresh
from fivefold.models.initialize import built
from fivefold.models.prepare import PrepareTable
from fivefold.training.private_gradient import clipped_sum
from seeding import seeded

few = settings(max_examples=20, deadline=None, derandomize=True)
TEN = Task(classes=tuple("0123456789"))
ARCHITECTURES = [MLP(hidden=(8,)), ConvNet(width=4, hidden=8), ResNet(width=4, blocks=(1, 2))]


@pytest.mark.parametrize("made", ARCHITECTURES, ids=lambda a: type(a).__name__)
@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (2, 1, 5)])
def test_answers_for_every_image_size_and_shows_its_features(made, shape):
    schema = Schema(shape=shape)
    state = torch.random.get_rng_state()
    net = made.build(schema, TEN, seeded())
    assert torch.equal(torch.random.get_rng_state(), state)
    model = TorchModel(net, TEN, schema, made)
    x = torch.rand(3, *shape, generator=seeded())
    assert model.predict(x).shape == (3, 10)
    assert model.predict(x[:0]).shape == (0, 10)
    with torch.no_grad():
        assert torch.equal(net.get_submodule("head")(model.embed(x)), model.predict(x))


@pytest.mark.parametrize("made", ARCHITECTURES, ids=lambda a: type(a).__name__)
def test_the_generator_decides_the_weights(made, images):
    a, b, c = (fresh(made, images, seeded(i)) for i in (0, 0, 1))
    x = images.splits.test.x
    assert torch.equal(a.predict(x), b.predict(x))
    assert not torch.equal(a.predict(x), c.predict(x))


@pytest.mark.parametrize("made", ARCHITECTURES, ids=lambda a: type(a).__name__)
def test_survives_the_recipe_file(made):
    assert decode(encode(made), Architecture) == made


@pytest.mark.parametrize("made", ARCHITECTURES[1:], ids=lambda a: type(a).__name__)
def test_learns_what_an_image_shows(made, images):
    step = Finetune(epochs=6, size=16)
    model = step(fresh(made, images, seeded()), images.splits.seen, rng=seeded())
    test = images.splits.test
    assert (model.predict(test.x).argmax(-1) == test.y).float().mean() > 0.7


def test_a_resnet_can_be_trained_privately(images):
    net = fresh(ResNet(width=4, blocks=(1, 1)), images, seeded()).net
    total = clipped_sum(net, images.splits.seen.train.take(slice(0, 4)), cross_entropy, 1.0)
    assert total.keys() == {n for n, _ in net.named_parameters()}


def test_answers_of_a_resnet_do_not_depend_on_the_batch(images):
    model = fresh(ResNet(width=4), images, seeded())
    x = images.splits.test.x
    assert torch.allclose(model.predict(x)[:1], model.predict(x[:1]), atol=1e-5)


@pytest.mark.parametrize("made", [ConvNet(), ResNet()])
def test_networks_for_images_refuse_tables(made, table):
    with pytest.raises(BadInput, match="images"):
        fresh(made, table, seeded())


def test_a_resnet_needs_a_stage():
    with pytest.raises(ValueError, match="stage"):
        ResNet(blocks=())


def test_layers_without_a_rule_are_an_error():
    with pytest.raises(TypeError, match="Bilinear"):
        built(lambda: nn.Sequential(nn.Bilinear(2, 2, 2)), seeded())


def columns(kinds):
    names = ("a", "b", "c")
    return tuple(
        Column(name=str(i), kind="category", categories=names, is_optional=optional)
        if is_category
        else Column(name=str(i), center=2.0, scale=4.0, is_optional=optional)
        for i, (is_category, optional) in enumerate(kinds)
    )


def prepared(row, schema):
    """One row, one column at a time."""
    numbers, categories, missing = [], [], []
    for value, column in zip(row, schema.columns, strict=True):
        is_missing = value != value
        if column.is_category:
            categories += [float(value == i) for i in range(3)]
        else:
            numbers.append(0.0 if is_missing else (value - column.center) / column.scale)
        missing += [float(is_missing)] if column.is_optional else []
    return numbers + categories + missing


@few
@given(
    st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=5), st.integers(0, 99)
)
def test_preparation_agrees_with_one_column_at_a_time(kinds, seed):
    schema = Schema(columns=columns(kinds), shape=(len(kinds),))
    x = torch.randint(0, 3, (6, len(kinds)), generator=seeded(seed)).float()
    x[torch.rand(x.shape, generator=seeded(seed)) < 0.3] = torch.nan
    layer = PrepareTable(schema)
    assert layer(x).tolist() == [pytest.approx(prepared(row, schema)) for row in x.tolist()]
    assert layer.width == layer(x).shape[1]


def test_no_gradient_is_lost_or_undefined_where_a_number_is_missing():
    schema = Schema(columns=columns([(False, True), (False, False)]), shape=(2,))
    x = torch.tensor([[torch.nan, 3.0]], requires_grad=True)
    PrepareTable(schema)(x)[:, :2].sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[0.0, 0.25]]
