from dataclasses import dataclass
from typing import Any

import pytest
import torch

from fivefold.core.data import Seen
from fivefold.core.errors import BadInput
from fivefold.core.fingerprint import of_state
from fivefold.core.task import Task
from fivefold.efficiency import Distill
from fivefold.learning import Finetune
from fivefold.models import MLP, ConvNet, SklearnModel, TorchModel, fresh
from fivefold.training.optimizer import AdamW
from seeding import seeded


@dataclass(frozen=True)
class Box:
    """A model of which only the answers are known."""

    schema: Any
    task: Task
    answer: Any
    lineage: tuple[()] = ()

    def predict(self, x):
        return self.answer(x)

    def with_lineage(self, lineage):
        return self


def n_weights(model):
    return sum(p.numel() for p in model.net.parameters())


def agreement(a, b, x):
    return float((a.predict(x).argmax(-1) == b.predict(x).argmax(-1)).float().mean())


@pytest.fixture(scope="module")
def teacher(table):
    start = fresh(MLP(hidden=(32,)), table, seeded())
    step = Finetune(epochs=30, optimizer=AdamW(lr=0.01))
    model = step(start, table.splits.seen, rng=seeded())
    assert isinstance(model, TorchModel)
    return model


def test_student_is_smaller_and_close_to_its_teacher(teacher, table):
    student = Distill()(teacher, table.splits.seen, rng=seeded())
    assert student.architecture == MLP(hidden=(16,))
    assert n_weights(student) < 0.55 * n_weights(teacher)
    assert agreement(student, teacher, table.splits.test.x) > 0.9


def test_a_teacher_makes_up_for_wrong_labels(teacher, table):
    """The point: what the teacher knows reaches the student without the labels."""
    seen, test = table.splits.seen, table.splits.test
    noise = torch.randint(2, seen.train.y.shape, generator=seeded(5))
    wrong = Seen(seen.train._replace(y=noise), seen.valid)
    small = MLP(hidden=(4,))
    told = Distill(student=small, hard_share=0.0)(teacher, wrong, rng=seeded())
    alone = Finetune(epochs=40)(fresh(small, table, seeded()), wrong, rng=seeded())
    assert agreement(told, teacher, test.x) > 0.9
    assert agreement(alone, teacher, test.x) < 0.75
    assert (told.predict(test.x).argmax(-1) == test.y).float().mean() > 0.85


def test_regression_follows_the_teacher(trained_numbers, numbers):
    step = Distill(epochs=60, optimizer=AdamW(lr=0.01), hard_share=0.0)
    student = step(trained_numbers, numbers.splits.seen, rng=seeded())
    x = numbers.splits.test.x
    error = (student.predict(x) - trained_numbers.predict(x)).square().mean()
    assert error < 0.05 * trained_numbers.predict(x).var()


def test_a_black_box_becomes_a_network(table):
    def rule(x):
        return torch.stack([-3 * (x[:, 0] + x[:, 1]), 3 * (x[:, 0] + x[:, 1])], 1)

    box = Box(table.schema, table.task, rule)
    student = Distill()(box, table.splits.seen, rng=seeded())
    assert student.architecture == MLP(hidden=(32, 32))
    assert agreement(student, box, table.splits.test.x) > 0.9


def test_a_forest_becomes_a_network(table):
    from sklearn.ensemble import RandomForestClassifier

    train = table.splits.seen.train
    forest = RandomForestClassifier(20, random_state=0).fit(train.x.numpy(), train.y.numpy())
    model = SklearnModel(estimator=forest, task=table.task, schema=table.schema)
    student = Distill()(model, table.splits.seen, rng=seeded())
    assert agreement(student, model, table.splits.test.x) > 0.85


def test_images_get_a_convolutional_student(images):
    teacher = fresh(ConvNet(width=4, hidden=8), images, seeded())
    student = Distill(epochs=1)(teacher, images.splits.seen, rng=seeded())
    assert student.architecture == ConvNet(width=2, hidden=4)


def test_the_teacher_is_asked_once_per_row(table):
    asked = []

    def rule(x):
        asked.append(len(x))
        return x[:, :2]

    Distill(epochs=3)(Box(table.schema, table.task, rule), table.splits.seen, rng=seeded())
    assert sum(asked) == table.splits.seen.train.size


def test_all_labels_and_no_teacher_is_ordinary_training(untrained, trained, table):
    student = MLP(hidden=(16,))
    made = [
        Distill(student=student, hard_share=1.0, epochs=3)(t, table.splits.seen, rng=seeded(7))
        for t in (untrained, trained)
    ]
    assert of_state(made[0].net.state_dict()) == of_state(made[1].net.state_dict())


def test_history_of_the_teacher_goes_along(trained, table):
    assert Distill(epochs=1)(trained, table.splits.seen, rng=seeded()).lineage == trained.lineage


def test_infinite_answers_are_refused(table):
    box = Box(table.schema, table.task, lambda x: x[:, :2] / 0)
    with pytest.raises(BadInput, match="not finite"):
        Distill()(box, table.splits.seen, rng=seeded())
