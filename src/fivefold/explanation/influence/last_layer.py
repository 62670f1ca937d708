"""Influence functions (Koh and Liang, 2017) of the last layer, and leave-one-out in closed form (Pregibon, 1981)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from fivefold.core.data import Batch
from fivefold.core.errors import NotMeasurable
from fivefold.core.limits import NonNegative
from fivefold.core.model import Model
from fivefold.core.task import Task
from fivefold.core.text import Text, text
from fivefold.explanation.influence.head import Head, head_of
from fivefold.explanation.influence.influence import Influence
from fivefold.explanation.influence.made import made
from fivefold.explanation.influence.question import Asked, asked
from fivefold.explanation.influence.score import score, score_slope, unit_of
from fivefold.models import SklearnModel

MOST = 4096  # coefficients of a head whose Hessian is decomposed
ROOM = 2**24  # numbers of one part of the training examples
FOR_NETWORKS = 1.0
SETTLED = 0.1  # of max(1, |score|)


@dataclass(frozen=True, kw_only=True)
class LastLayerInfluence:
    """How far the score would fall if the example were left out and the last layer trained to its end again.

    The features below stay as they are, so what examples taught them is not seen. For squared error with
    the penalty given (linear regression, ridge) and no damping the value is the exact leave-one-out
    difference, by the formula for the inverse of a matrix less one row. For cross-entropy it is one
    Newton step without the example. Both hold where training ended at the minimum of its loss;
    `is_converged` tells for which rows it nearly did.

    Attributes:
        damping: Added to the Hessian, as a share of its mean eigenvalue; 0 uses only what the data
            determine. None is 0 for a scikit-learn estimator, whose loss is known, and 1 for a network,
            whose training seldom ends at a minimum.
        penalty: Second derivative of the L2 penalty in training, on coefficients and not on the bias:
            2 * alpha for a loss `sum (f - y)^2 + alpha |w|^2`. None takes that of a scikit-learn
            estimator, and 0 for a network.
        leaves_out: Whether the curvature is taken without the example as well; without this the values
            are those of influence functions, too small for examples of high leverage.
        reveal: Whether to look at the training rows of a model with a privacy guarantee.
    """

    damping: NonNegative | None = None
    penalty: NonNegative | None = None
    leaves_out: bool = True
    reveal: bool = False

    def __call__(
        self, model: Model | Sequence[Model], train: Batch, x: Batch, *, rng: Generator
    ) -> Influence:
        """Return the influences; `rng` is not used.

        Raises:
            NotMeasurable: The last layer is not linear, or too large to solve for.
        """
        question = asked(model, train, x, reveal=self.reveal)
        found = [self._of(m, question) for m in question.models]
        settled = torch.stack([f.is_settled for f in found]).all(0)
        return made(
            question,
            pieces=[f.values for f in found],
            method=f"LastLayerInfluence, damping {self._damping(question.models[0]):g}",
            unit=unit_of(question.task),
            is_converged=settled,
            limits=_limits(question, settled, found),
        )

    def _of(self, model: Model, question: Asked) -> "_Found":
        head = head_of(model)
        n_outputs, n_features = len(head.weight), head.weight.shape[1] + head.has_bias
        if n_outputs * n_features > MOST:
            raise NotMeasurable(
                "The last layer has {n} coefficients, and its Hessian is decomposed for up to {most}.",
                mend="Use TRAK, or TracIn.",
                n=n_outputs * n_features,
                most=MOST,
            )
        solved = self._solved(head, question, self._damping(model))
        rows, outputs = head.read(question.x.x), head.outputs(question.x.x)
        slope = score_slope(outputs, question.x.y, question.task)
        asked_of = torch.einsum("mc,mcr->mr", slope, solved.root(rows))
        values = torch.cat([asked_of @ p for p in solved.moves(self.leaves_out)], 1)
        own = score(outputs, question.x.y, question.task)
        rest = ((rows @ solved.rest.T) * slope).sum(1).abs()
        return _Found(values, rest <= SETTLED * own.abs().clamp(min=1), float(rest.mean()))

    def _damping(self, model: Model) -> float:
        if self.damping is not None:
            return self.damping
        return 0.0 if isinstance(model, SklearnModel) else FOR_NETWORKS

    def _solved(self, head: Head, question: Asked, damping: float) -> "_Solved":
        task, y = question.task, question.train.y
        rows, outputs = head.read(question.train.x), head.outputs(question.train.x)
        slope, curve = _loss_slope(outputs, y, task), _loss_curve(outputs, task)
        penalty = head.penalty if self.penalty is None else self.penalty
        n_outputs, width = len(head.weight), rows.shape[1]
        hessian = torch.zeros(n_outputs, width, n_outputs, width, dtype=torch.float64)
        for a in range(n_outputs):
            for b in range(a + 1):
                block = rows.T @ (curve[:, a, b, None] * rows)
                hessian[a, :, b] = hessian[b, :, a] = block
        known = torch.zeros(n_outputs, width, dtype=torch.float64)
        known[:, : head.weight.shape[1]] = penalty
        hessian = hessian.flatten(2).flatten(0, 1) + torch.diag(known.flatten())
        whole = slope.T @ rows
        whole[:, : head.weight.shape[1]] += penalty * head.weight
        whose = (n_outputs, width)
        values, vectors = torch.linalg.eigh(hessian)
        bare = _root(values, vectors)  # whether training has ended is not for damping to say
        rest = (bare @ (bare.T @ whole.flatten())).unflatten(0, whose)
        half = _root(values + damping * values.mean(), vectors).unflatten(0, whose)
        return _Solved(half, rows, slope, curve, rest)


class _Found(NamedTuple):
    """Influences of one model, whether the score of each row is settled, and by how much it is not."""

    values: Float[Tensor, "rows train"]
    is_settled: Bool[Tensor, " rows"]
    away: float


class _Solved(NamedTuple):
    """A head whose Hessian is known: `inverse = half @ half.T`, and what each example adds to its loss.

    `rest` is the step that the whole head would still make without any damping.
    """

    half: Float[Tensor, "outputs feature rank"]
    rows: Float[Tensor, "train feature"]
    slope: Float[Tensor, "train outputs"]
    curve: Float[Tensor, "train outputs outputs"]
    rest: Float[Tensor, "outputs feature"]

    def root(self, rows: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch outputs rank"]:
        """Return the square root of the inverse Hessian, for the outputs of some rows."""
        return torch.einsum("nd,cdr->ncr", rows, self.half)

    def moves(self, leaves_out: bool) -> Iterator[Float[Tensor, "rank part"]]:
        """Yield minus how far the coefficients move when each example is left out, in the root's directions.

        Without example i, of slope g and curvature M over the outputs, Newton's step is
        (H - U M U')^-1 U g = H^-1 U (I - M K)^-1 g, with K = U' H^-1 U.
        """
        n_outputs, _, rank = self.half.shape
        for part in torch.arange(len(self.rows)).split(max(1, ROOM // (n_outputs * rank))):
            root, pushed = self.root(self.rows[part]), self.slope[part]
            if leaves_out:
                inner = torch.eye(n_outputs).double() - self.curve[part] @ (root @ root.mT)
                pushed = torch.linalg.solve_ex(inner, pushed[..., None])[0][..., 0]
            yield -torch.einsum("ncr,nc->rn", root, pushed)


def _loss_slope(outputs: Tensor, y: Tensor, task: Task) -> Float[Tensor, "batch outputs"]:
    if not task.is_classification:
        return 2 * (outputs - y.double()[:, None])
    return outputs.softmax(-1) - torch.nn.functional.one_hot(y, task.n_outputs)


def _loss_curve(outputs: Tensor, task: Task) -> Float[Tensor, "batch outputs outputs"]:
    if not task.is_classification:
        return torch.full((len(outputs), 1, 1), 2.0, dtype=torch.float64)
    p = outputs.softmax(-1)
    return torch.diag_embed(p) - p[:, :, None] * p[:, None, :]


def _root(values: Float[Tensor, " n"], vectors: Float[Tensor, "n n"]) -> Float[Tensor, "n rank"]:
    """Return a square root of the inverse, of the pseudo-inverse where directions are not determined."""
    kept = values > 1e-12 * float(values.max().clamp(min=1e-300))
    return vectors[:, kept] / values[kept].sqrt()


def _limits(question: Asked, settled: Tensor, found: list[_Found]) -> tuple[Text, ...]:
    told: list[Text] = []
    if not all(isinstance(m, SklearnModel) for m in question.models):
        told.append(
            text(
                "Only the last layer is trained again; what examples taught the layers below is not seen."
            )
        )
    if question.task.is_classification:
        told.append(text("Values are one Newton step, not training anew."))
    if not settled.all():
        told.append(
            text(
                "Training did not end at the minimum of its loss: of {n} rows {unsure} have not converged, and scores would move by {away} on average if it went on.",
                n=len(settled),
                unsure=int((~settled).sum()),
                away=max(f.away for f in found),
            )
        )
    return tuple(told)
