"""Choosing among private runs at a known price (Liu and Talwar, 2019; Papernot and Steinke, 2022)."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf
from typing import Any, ClassVar

import torch
from torch import Generator

from fivefold.core.data import Batch, Seen
from fivefold.core.errors import BadInput, BadRecipe
from fivefold.core.limits import Natural
from fivefold.core.lineage import Claim, Claims, claim_of
from fivefold.core.loss import loss_of
from fivefold.core.model import Model
from fivefold.core.randomness import fresh_seed, spawn
from fivefold.core.step import Step
from fivefold.privacy.dpsgd import DPSGD
from fivefold.privacy.ledger import Ledger, begin
from fivefold.privacy.mechanism import REPEATED, Paid, paid_of
from fivefold.privacy.repeats import Repeats
from fivefold.privacy.secret import secret_generator


@dataclass(frozen=True, kw_only=True)
class RepeatAndSelect(Step):
    """Private training, run a secret random number of times, of which the best by validation loss is kept.

    Each run takes one of `steps` at random, so hyperparameters are tuned at a known price: about one and a
    half to three times the epsilon of one run for a mean of up to a hundred (a Poisson number: up to ten).
    The price is right only while nobody learns how many runs there were. A run of a recipe keeps no time of
    this step; publish none, nor its energy or log. Rows of the validation split choose, and are not hidden.

    Attributes:
        steps: Private steps to choose among. All must cost the same: what may differ is what the
            accountant does not ask for (learning rate, clip norm, optimizer).
        repeats: Distribution of the number of runs.
        insecure_seed: Makes everything repeatable, for tests; the privacy probe then reports no guarantee.
        ledger: Where all of it is counted, as one run, before a row is read. The steps have none: it would
            tell how many runs there were.
    """

    hides_time: ClassVar[bool] = True
    steps: tuple[Step, ...] = (DPSGD(),)
    repeats: Repeats = Repeats()
    insecure_seed: Natural | None = None
    ledger: Ledger | None = None

    def __post_init__(self) -> None:
        if not self.steps:
            raise ValueError("RepeatAndSelect needs at least one private step.")
        for step in self.steps:
            if not isinstance(step, Claims):
                raise ValueError(
                    f"{type(step).__name__} is not private, so its choice has no price."
                )
            if getattr(step, "ledger", None) is not None:
                raise ValueError(
                    "A ledger of each run would tell how many there were; give RepeatAndSelect the ledger."
                )

    def __call__(self, model: Model, seen: Seen, *, rng: Generator) -> Model:
        """Return the best model, or `model` itself where no run was drawn. `rng` is left alone: its seed is public.

        Raises:
            BadInput: There are no validation rows to choose by.
            BadRecipe: A step is not private, or the steps do not cost the same.
            LimitReached: The ledger has too little left.
        """
        claim = self.claim(seen.train.size)
        if not seen.valid.size:
            raise BadInput(
                "There are no validation rows by which the best run could be chosen.",
                mend="Add rows to the validation split.",
            )
        begin(self.ledger, claim, seen.train)
        best, least = model, inf
        for step, own in self._runs():
            made = step(model, seen, rng=own)
            loss = _loss(made, seen.valid)
            if best is model or loss < least:
                best, least = made, loss
        return best

    def claim(self, n_examples: int) -> Claim:
        """Return the mechanism through which the training split is read.

        Raises:
            BadRecipe: A step is not private, or the steps do not cost the same.
        """
        told = [claim_of(step, n_examples).privacy for step in self.steps]
        costs = [_cost(step, record) for step, record in zip(self.steps, told, strict=True)]
        if any(_price(c) != _price(costs[0]) for c in costs):
            raise BadRecipe(
                "The steps to choose among cost differently, and whichever is chosen is paid for alike.",
                where="steps",
                mend="Give all the same noise_multiplier, rate, steps, delta and unit.",
            )
        return Claim(privacy=self._record(told[0], any(c.is_seeded for c in costs)))

    def _record(self, one: Any, is_seeded: bool) -> dict[str, Any]:
        kept = {k: one[k] for k in ("unit", "relation", "owners", "delta") if k in one}
        return kept | {
            "mechanism": REPEATED,
            "seeded": is_seeded or self.insecure_seed is not None,
            "mean": self.repeats.mean,
            "shape": self.repeats.shape,
            "candidates": len(self.steps),
            "of": dict(one),
        }

    def _runs(self) -> Iterator[tuple[Step, Generator]]:
        """Yield the step of each run and its randomness; how many there are is secret."""
        seeded = None if self.insecure_seed is None else Generator().manual_seed(self.insecure_seed)
        source = seeded or secret_generator()
        for _ in range(self.repeats.draw(source)):
            step = self.steps[int(torch.randint(len(self.steps), (), generator=source))]
            if seeded is not None and hasattr(step, "insecure_seed"):
                step = replace(step, insecure_seed=fresh_seed(seeded) >> 32)  # type: ignore[type-var]
            own = spawn(seeded) if seeded else Generator().manual_seed(secrets.randbits(62))
            yield step, own


def _cost(step: Step, record: Any) -> Paid:
    paid = paid_of(record)
    if paid is None or paid.repeats is not None:
        raise BadRecipe(
            "{step} does not say what one run of it costs, so the choice among several has no price.",
            where="steps",
            mend="Use steps that are private by themselves, such as privacy.DPSGD.",
            step=type(step).__name__,
        )
    return paid


def _price(paid: Paid) -> tuple[object, ...]:
    return paid.parts, paid.delta, paid.unit, paid.owners, paid.is_in_place


def _loss(model: Model, valid: Batch) -> float:
    """Return the mean loss; infinite where it is none."""
    found = float(loss_of(model.task)(model.predict, valid).mean())
    return found if found < inf else inf
