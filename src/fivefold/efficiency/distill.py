"""Distillation into a smaller network (Hinton, Vinyals and Dean, 2015)."""

from dataclasses import dataclass

from torch import Generator, Tensor

from fivefold.core.data import Seen, shuffled
from fivefold.core.errors import BadInput
from fivefold.core.limits import Count, Positive, Share
from fivefold.core.model import Architecture, HasArchitecture, HasNet, Model
from fivefold.core.randomness import spawn
from fivefold.core.step import Step
from fivefold.efficiency.width import narrower
from fivefold.models import MLP, TorchModel
from fivefold.models.torch import device_of
from fivefold.training.distillation import numbered, remembered
from fivefold.training.fit import fit
from fivefold.training.optimizer import AdamW, Optimizer


@dataclass(frozen=True, kw_only=True)
class Distill(Step):
    """Train a smaller network to answer as the model does.

    The teacher may be a black box (a scikit-learn model, a function, a remote service): it is asked
    once about each training row. The result is a network with gradients, so this also opens black
    boxes to methods that need them. It reads the training rows and, by `hard_share`, their labels:
    after it, a privacy guarantee of the teacher no longer holds, and the lineage says so.

    Attributes:
        student: The network to train; by default one like the teacher with half of the units or
            channels in each layer, or for a black box an MLP with two layers of 32.
        temperature: Softens both sides' probabilities; no effect on regression.
        hard_share: Weight of the labels beside the teacher's answers.
        epochs: Passes over the training split.
        size: Examples per batch.
        optimizer: How weights move.
    """

    student: Architecture | None = None
    temperature: Positive = 4.0
    hard_share: Share = 0.1
    epochs: Count = 60
    size: Count = 64
    optimizer: Optimizer = AdamW(lr=3e-3)  # it starts from nothing

    def __call__(self, model: Model, seen: Seen, *, rng: Generator) -> TorchModel:
        """Return the student.

        Raises:
            BadInput: The teacher answers with numbers that are not finite, or its architecture does
                not say how wide it is and no student was named.
        """
        student = self.student or _smaller(model)
        net = student.build(model.schema, model.task, spawn(rng))
        if isinstance(model, HasNet):
            net = net.to(device_of(model.net))
        answers = _answers(model, seen)
        loss = remembered(
            answers,
            seen.train.y,
            model.task,
            temperature=self.temperature,
            hard_share=self.hard_share,
        )
        batches = shuffled(numbered(seen.train), self.size, self.epochs, rng)
        fit(net, batches, loss, optimizer=self.optimizer)
        return TorchModel(net, model.task, model.schema, student, model.lineage)


def _smaller(model: Model) -> Architecture:
    if isinstance(model, HasArchitecture):
        return narrower(model.architecture, 0.5)
    return MLP(hidden=(32, 32))


def _answers(model: Model, seen: Seen) -> Tensor:
    answers = model.predict(seen.train.x).detach()
    if wrong := int((~answers.isfinite()).any(-1).sum()):
        raise BadInput(
            "The teacher's answer to {wrong} of {n} training rows is not finite.",
            mend="Mend the teacher or the rows; a student cannot learn from infinity.",
            wrong=wrong,
            n=len(answers),
        )
    return answers
