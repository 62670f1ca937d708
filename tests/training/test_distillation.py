import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.data import Batch, as_tensor, shuffled
from fivefold.core.loss import cross_entropy, squared_error
from fivefold.core.task import Task
from fivefold.training.distillation import distillation, numbered, remembered, softened_divergence
from seeding import seeded

few = settings(max_examples=20, deadline=None, derandomize=True)
CLASSES = Task(classes=("a", "b", "c"))
NUMBER = Task(kind="regression")


def softmax(row):
    top = max(row)
    raised = [math.exp(v - top) for v in row]
    return [v / sum(raised) for v in raised]


def twin(student, teacher, label, temperature, hard_share):
    """The formula of the paper, one example at a time, one class at a time."""
    p = softmax([v / temperature for v in teacher])
    q = softmax([v / temperature for v in student])
    soft = temperature**2 * sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    return (1 - hard_share) * soft - hard_share * math.log(softmax(student)[label])


def drawn(seed, n=5):
    own = seeded(seed)
    student, teacher = torch.randn(2, n, 3, generator=own).double().unbind()
    return 3 * student, 3 * teacher, torch.randint(3, (n,), generator=own)


@few
@given(st.integers(0, 10_000), st.floats(0.5, 20), st.floats(0, 1))
def test_agrees_with_the_formula_of_the_paper(seed, temperature, hard_share):
    student, teacher, y = drawn(seed)
    loss = distillation(lambda _: teacher, CLASSES, temperature=temperature, hard_share=hard_share)(
        lambda _: student, Batch(torch.zeros(5, 1), y)
    )
    expected = [
        twin(*row, temperature, hard_share)
        for row in zip(student.tolist(), teacher.tolist(), y.tolist(), strict=True)
    ]
    assert loss.tolist() == pytest.approx(expected, rel=1e-9, abs=1e-9)


@few
@given(st.integers(0, 10_000))
def test_at_a_high_temperature_it_matches_logits(seed):
    """The paper's limit: half the mean squared difference of the centred logits."""
    student, teacher, _ = drawn(seed)
    difference = student - teacher
    difference = difference - difference.mean(-1, keepdim=True)
    limit = difference.square().mean(-1) / 2
    assert torch.allclose(softened_divergence(student, teacher, 1e4), limit, rtol=1e-2, atol=1e-4)


def test_is_zero_only_for_a_student_that_agrees():
    student, teacher, _ = drawn(0)
    assert torch.allclose(softened_divergence(teacher + 5.0, teacher, 3.0), torch.zeros(5).double())
    assert (softened_divergence(student, teacher, 3.0) > 0).all()


def test_without_the_teacher_it_is_the_ordinary_loss():
    student, teacher, y = drawn(1)
    batch = Batch(torch.zeros(5, 1), y)
    loss = distillation(lambda _: teacher, CLASSES, temperature=4.0, hard_share=1.0)
    assert torch.allclose(loss(lambda _: student, batch), cross_entropy(lambda _: student, batch))


def test_regression_is_squared_error_to_teacher_and_label():
    student, teacher = torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0], [2.0]])
    batch = Batch(torch.zeros(2, 1), torch.tensor([0.0, 5.0]))
    loss = distillation(lambda _: teacher, NUMBER, temperature=4.0, hard_share=0.25)
    found = loss(lambda _: student, batch)
    hard = squared_error(lambda _: student, batch)
    assert torch.allclose(found, 0.75 * torch.tensor([4.0, 0.0]) + 0.25 * hard)


def test_no_gradient_reaches_the_teacher():
    weight = torch.ones(3, requires_grad=True)
    loss = distillation(lambda x: as_tensor(x) * weight, CLASSES, temperature=2.0, hard_share=0.5)
    x = torch.randn(4, 3, generator=seeded())
    ours = torch.ones(3, requires_grad=True)
    loss(lambda x: as_tensor(x) * ours + 1, Batch(x, torch.tensor([0, 1, 2, 0]))).sum().backward()
    assert weight.grad is None
    assert ours.grad is not None


def test_remembered_answers_follow_their_rows_through_shuffling():
    own = seeded(3)
    data = Batch(torch.randn(17, 3, generator=own), torch.randint(3, (17,), generator=own))

    def teacher(x):
        return 2 * as_tensor(x).flip(-1)

    asked = distillation(teacher, CLASSES, temperature=2.0, hard_share=0.3)
    kept = remembered(teacher(data.x), data.y, CLASSES, temperature=2.0, hard_share=0.3)
    plain = shuffled(data, 5, 2, seeded(4))
    marked = shuffled(numbered(data), 5, 2, seeded(4))
    for a, b in zip(plain, marked, strict=True):
        assert torch.allclose(asked(as_tensor, a), kept(as_tensor, b))
