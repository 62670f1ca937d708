"""Distillation (Hinton, Vinyals and Dean, 2015): a small network learns what a large one answers."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from fivefold.core.data import Batch
from fivefold.core.loss import Forward, Loss, loss_of
from fivefold.core.task import Task


def distillation(teacher: Forward, task: Task, *, temperature: float, hard_share: float) -> Loss:
    """Return the loss of a student that listens to `teacher` and, by `hard_share`, to the labels.

    Args:
        teacher: Gives logits or numbers for inputs; no gradient flows into it.
        task: Classification is compared as softened probabilities, regression by squared error.
        temperature: Divides both sides' logits; above 1 the teacher's second thoughts count more.
        hard_share: Weight of the ordinary loss on the labels; the rest is the teacher's.
    """
    hard = loss_of(task)

    def loss(forward: Forward, batch: Batch) -> Float[Tensor, " batch"]:
        answer = forward(batch.x)
        with torch.no_grad():
            wanted = teacher(batch.x)
        soft = (
            softened_divergence(answer, wanted, temperature)
            if task.is_classification
            else (answer[:, 0] - wanted[:, 0]) ** 2
        )
        return (1 - hard_share) * soft + hard_share * hard(lambda _: answer, batch)

    return loss


def softened_divergence(
    student: Float[Tensor, "batch classes"],
    teacher: Float[Tensor, "batch classes"],
    temperature: float,
) -> Float[Tensor, " batch"]:
    """Return T^2 KL(teacher || student) of the softened probabilities, in nats.

    T^2 keeps the size of the gradient the same at every temperature T, so that `hard_share` means the
    same at each.
    """
    wanted = (teacher / temperature).log_softmax(-1)
    given = (student / temperature).log_softmax(-1)
    return temperature**2 * F.kl_div(given, wanted, reduction="none", log_target=True).sum(-1)


def numbered(data: Batch) -> Batch:
    """Return the same inputs with row numbers in place of targets, for `remembered`."""
    return Batch(data.x, torch.arange(data.size))


def remembered(
    outputs: Float[Tensor, "row outputs"],
    targets: Tensor,
    task: Task,
    *,
    temperature: float,
    hard_share: float,
) -> Loss:
    """Return the loss of `distillation` over `numbered` batches.

    The teacher has answered each row once, before training: a slow or remote teacher is asked as
    often as there are rows, not as often as there are epochs.

    Args:
        outputs: The teacher's answer for each row.
        targets: The label of each row.
        task: What is predicted.
        temperature: As in `distillation`.
        hard_share: As in `distillation`.
    """

    def loss(forward: Forward, batch: Batch) -> Float[Tensor, " batch"]:
        device = batch.y.device
        rows = batch.y.cpu()
        wanted, labels = outputs[rows].to(device), targets[rows].to(device)
        one = distillation(lambda _: wanted, task, temperature=temperature, hard_share=hard_share)
        return one(forward, Batch(batch.x, labels))

    return loss
