"""A test of every private training step by canaries, in one run (Steinke, Nasr and Jagielski, 2023)."""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge
from torch import Generator

from fivefold.core.codec import decode
from fivefold.core.data import Batch, Splits
from fivefold.core.errors import BadInput, NotMeasurable
from fivefold.core.evidence import Axis, Finding
from fivefold.core.limits import Count
from fivefold.core.lineage import Record
from fivefold.core.loss import loss_of
from fivefold.core.model import HasNet, Model, with_net
from fivefold.core.probe import Probe
from fivefold.core.randomness import spawn
from fivefold.core.step import Step
from fivefold.core.text import text
from fivefold.privacy.audit.findings import Audited, Shown, missing
from fivefold.privacy.audit.one_run import ALPHA, largest_provable, proved
from fivefold.privacy.audit.plant import Kind, Soil, rows_that_fit
from fivefold.privacy.audit.slopes import size_of
from fivefold.privacy.audit.trial import Trial, shortened, trial
from fivefold.privacy.dpsgd import DPSGD
from fivefold.privacy.plan import plan_of

FEWEST = 16  # canaries of one kind that are worth a run
NO_ROWS = "Canaries in rows were left out: the network has too few weights to tell them apart, or too many to hold their gradients. "


@dataclass(frozen=True, kw_only=True)
class CanaryAudit(Probe):
    """Whether private training keeps what it claims, tested by training once more with canaries in the data.

    Each canary is included by a fair coin. An attacker who sees every noisy gradient guesses the coins,
    and how often he is right proves a lower bound on epsilon: one above the claim shows that clipping,
    noise or sampling is broken. Canaries in weights have a gradient of one number each, and show noise
    that is missing or weights that are not clipped; canaries in rows pass through every layer, and show
    norms that a layer gets wrong. A bound below the claim proves nothing: epsilon is the guarantee.

    Attributes:
        canaries: Most canaries in weights. More prove more; a network has at most one for each weight.
        strange_rows: Most canaries in rows; each costs a backward pass in every step. 0 for none.
        steps: Steps that are audited, if the step has more. The claim for so many is what is tested.
        n_examples: Training rows in the run.
    """

    axis: ClassVar[Axis] = Axis.PRIVACY
    canaries: Annotated[int, Ge(FEWEST)] = 1000
    strange_rows: Annotated[int, Ge(0)] = 64
    steps: Count = 200
    n_examples: Count = 24

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Audit each private step of the model's history.

        Raises:
            NotMeasurable: The model has steps that claim privacy, and no network.
        """
        private = [r for r in model.lineage if r.claim.privacy]
        if not private:
            return [
                missing(text("No step of this model claims privacy, so no claim can be tested."))
            ]
        model, alpha = with_net(model, self), ALPHA / len(private)
        train = splits.seen.train
        return [f for r in private for f in self._of(r, model, train, alpha, rng)]

    def _of(
        self, record: Record, model: HasNet, data: Batch, alpha: float, rng: Generator
    ) -> list[Finding]:
        try:
            step = _step_of(record)
            plan = plan_of(record.claim.privacy) or step.plan(data.size)
            order = torch.randperm(data.size, generator=rng)
            rows = data.take(order[: self.n_examples])
            short = shortened(step, plan, self.steps)
            made = self._trials(short, model, rows, rng)
        except (BadInput, NotMeasurable) as error:
            return [missing(error.what, record.name)]
        told = replace(plan, steps=short.steps)
        found = Audited(
            name=record.name,
            plan=told,
            of=plan.steps,
            rows=rows.size,
            shown=[_shown(kind, one, alpha / len(made)) for kind, one in made.items()],
            left_out=NO_ROWS if self.strange_rows and "rows" not in made else "",
        )
        return [*found.evidence()]

    def _trials(self, step: DPSGD, model: HasNet, rows: Batch, rng: Generator) -> dict[Kind, Trial]:
        """Return what a run with each kind of canaries has let out.

        Raises:
            NotMeasurable: There is room for a few canaries only.
        """
        soil = Soil(model.net, rows, loss_of(model.task), self.strange_rows, step.clip_norm)
        room = int(1 / (step.delta or 1)) - rows.size - 1  # more rows would void the step's delta
        counts: dict[Kind, int] = {
            "weights": min(self.canaries, size_of(model.net), room),
            "rows": min(rows_that_fit(soil), room),
        }
        made: dict[Kind, int] = {kind: n for kind, n in counts.items() if n >= FEWEST}
        if not made:
            raise NotMeasurable(
                "There is room for fewer than {least} canaries, which prove nothing.",
                mend="Lower the step's delta, or audit a network with more weights.",
                least=FEWEST,
            )
        return {kind: trial(step, model, rows, kind, n, spawn(rng)) for kind, n in made.items()}


def _shown(kind: Kind, made: Trial, alpha: float) -> Shown:
    n, delta, scores = len(made.inside), made.plan.delta, made.scores()
    bound = proved(scores, made.inside, delta, alpha)
    return Shown(kind, n, bound, largest_provable(n, delta, len(scores), alpha))


def _step_of(record: Record) -> DPSGD:
    """Return the step that left `record`, if it is one that canaries can be put into.

    Raises:
        BadInput: It cannot be read.
        NotMeasurable: It trains in another way.
    """
    step = decode(record.step, Step)
    if not isinstance(step, DPSGD):
        raise NotMeasurable(
            "Canaries test DPSGD, and {step} trains in another way.",
            mend="Read the bound of privacy.Epsilon.",
            step=type(step).__name__,
        )
    if step.user is not None or step.views > 1:
        raise NotMeasurable(
            "Canaries are single examples; training by users or by views of examples is not tested.",
            mend="Read the bound of privacy.Epsilon.",
        )
    return step
