import pytest
import torch

from fivefold.core.codec import decode, encode
from fivefold.core.errors import BadInput, BadRecipe
from fivefold.core.evidence import Evidence
from fivefold.core.step import Step
from fivefold.learning import R2, Accuracy, Finetune
from fivefold.training import SGD, Cosine, Muon
from seeding import seeded


def score(probe, model, data):
    (found,) = probe(model, data.splits, rng=seeded())
    assert isinstance(found, Evidence)
    return found


def test_learns_the_task(untrained, trained, table):
    assert score(Accuracy(), trained, table).low > score(Accuracy(), untrained, table).value


def test_learns_numbers(trained_numbers, numbers):
    assert score(R2(), trained_numbers, numbers).low > 0.1


def test_patience_ends_early_and_keeps_the_best(untrained, table):
    seen = table.splits.seen
    long = Finetune(epochs=200, size=250, optimizer=SGD(lr=0.5))
    patient = Finetune(epochs=200, size=250, optimizer=SGD(lr=0.5), patience=2)
    a, b = (s(untrained, seen, rng=seeded()) for s in (long, patient))

    def held_out(model):
        return torch.nn.functional.cross_entropy(model.predict(seen.valid.x), seen.valid.y)

    assert held_out(b) <= held_out(a)
    assert not torch.equal(a.predict(seen.valid.x), b.predict(seen.valid.x))


def test_average_changes_what_is_returned(untrained, table):
    a, b = (
        Finetune(epochs=2, average=average)(untrained, table.splits.seen, rng=seeded())
        for average in (None, 0.99)
    )
    x = table.splits.test.x
    assert not torch.equal(a.predict(x), b.predict(x))


def test_its_parts_survive_the_recipe_file():
    step = Finetune(optimizer=Muon(schedule=Cosine(warmup=0.1)), average=0.9, patience=3)
    assert decode(encode(step), Step) == step


@pytest.mark.parametrize(
    "fields", [{"epochs": 0}, {"size": 0}, {"patience": 0}, {"average": 1.0}, {"optimizer": {"use": "learning.F1"}}]
)  # fmt: skip
def test_nonsense_is_refused_before_anything_runs(fields):
    with pytest.raises(BadRecipe):
        decode({"use": "learning.Finetune"} | fields, Step)


def test_needs_examples(untrained, table):
    seen, none = table.splits.seen, table.splits.seen.train.take(slice(0, 0))
    with pytest.raises(BadInput, match="no training examples"):
        Finetune()(untrained, seen._replace(train=none), rng=seeded())
    with pytest.raises(BadInput, match="validation"):
        Finetune(patience=1)(untrained, seen._replace(valid=none), rng=seeded())


def test_blowing_up_is_told_and_leaves_the_model_alone(untrained, table):
    before = untrained.predict(table.splits.test.x)
    with pytest.raises(BadInput, match="finite"):
        Finetune(optimizer=SGD(lr=1e30))(untrained, table.splits.seen, rng=seeded())
    assert torch.equal(untrained.predict(table.splits.test.x), before)
