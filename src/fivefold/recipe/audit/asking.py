"""Ask every probe within one budget: what is stopped or fails is missing with its reason, the rest stays."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, NamedTuple

from torch import Generator

from fivefold.core import progress
from fivefold.core.codec import encode, name_of
from fivefold.core.cost import measured
from fivefold.core.data import Dataset
from fivefold.core.errors import FivefoldError
from fivefold.core.evidence import Axis, Evidence, Finding, Missing
from fivefold.core.model import HasNet, Model
from fivefold.core.probe import Probe
from fivefold.core.text import Text, text
from fivefold.recipe.audit.chosen import Asked, in_turn
from fivefold.recipe.audit.said import told_of
from fivefold.recipe.audit.smaller import SIZES, hurried, size_of, smaller, work_of
from fivefold.recipe.audit.watch import Spent, Watch
from fivefold.recipe.folder import Measured
from fivefold.recipe.key import key_of, seed_of

TRIAL = 0.125  # share of the work that is done first, to see how long all of it takes
AT_ONCE = 0.25  # share of the time left that a probe may have which cannot be made smaller
WORTH = 1.3  # times the work, or the time, that make another attempt worth it
CAREFUL = 0.8  # share of the remaining time that is planned with


@dataclass
class Asking:
    """One audit's questions.

    Attributes:
        model: The model as probes see it.
        data: The examples.
        seed: Decides everything random.
        watch: The clock.
        budget: Seconds that were allowed for everything; infinite if there is no limit.
        end: Seconds on the clock after which nothing is asked any more.
        complain: What is told of a probe that failed, for the log.
        notes: What became smaller to fit.
    """

    model: Model
    data: Dataset
    seed: int
    watch: Watch
    budget: float = inf
    end: float = inf
    complain: Callable[[str], None] = lambda line: None
    notes: list[Text] = field(default_factory=list[Text])

    def all(
        self, asked: list[Asked], keep: Callable[[tuple[Measured, ...]], None]
    ) -> tuple[Measured, ...]:
        """Return all answers in the order of `asked`, which is not the order of asking.

        With a budget each probe first does a part of its work, cheap ones first, which tells what all of it
        would take. Then the time left is shared out from the quickest on: what one leaves over flows on.

        Args:
            asked: Probes, or what is known to be missing.
            keep: Is given what is known after each answer.
        """
        found: dict[int, Tried] = {}
        turns = in_turn(asked, is_closed=not isinstance(self.model, HasNet))
        for done, place in enumerate(progress.track(turns, "measuring")):
            found[place] = self._first(asked[place], len(turns) - done)
            keep(_in_order(found))
        larger = sorted((i for i, t in found.items() if t.is_part), key=lambda i: found[i].whole)
        for done, place in enumerate(progress.track(larger, "measuring more")):
            others = sum(found[i].whole for i in larger[done + 1 :])
            room = max(self._room(len(larger) - done), self.left - others / CAREFUL)
            found[place] = self._more(found[place], room)
            keep(_in_order(found))
        told = tuple(self._noted(found[i]) for i in sorted(found))
        keep(told)
        return told

    @property
    def left(self) -> float:
        """Seconds left for asking."""
        return self.end - self.watch.elapsed

    def _room(self, n_left: int) -> float:
        return self.left / n_left if self.end < inf else inf

    def _first(self, item: Asked, n_left: int) -> "Tried":
        """Return a first answer: of a part of the work if there is a budget and the probe can be smaller."""
        if not isinstance(item, Probe):
            return Tried(Measured(key=key_of(missing=[m.key for m in item]), findings=item))
        room = self._room(n_left)
        if room == inf:
            return self._try(item, item, inf)
        trial = smaller(item, TRIAL)
        if trial is not None:
            return self._try(trial, item, room)
        return self._try(
            hurried(item, room), item, min(max(2 * room, self.left * AT_ONCE), self.left)
        )

    def _more(self, tried: "Tried", room: float) -> "Tried":
        """Return the answer of as much of the work as fits; the first answer if no more of it does."""
        wanted, made = tried.wanted, tried.made
        assert wanted is not None and made is not None
        if tried.is_done:
            share = CAREFUL * room / max(tried.whole, 1e-9)
            made = smaller(wanted, share) or wanted
        if tried.is_done and work_of(made) < WORTH * work_of(tried.made or made):
            return tried
        if not tried.is_done and room < WORTH * tried.measured.cost.seconds:
            return tried
        again = self._try(made, wanted, room)
        return again if again.is_done else tried

    def _try(self, probe: Probe, wanted: Probe, seconds: float) -> "Tried":
        """Ask `probe`, which may be a part of `wanted`, for so many seconds at most."""
        if seconds <= 0:
            return Tried(Measured(key=self._key(probe), findings=self._spent(probe)))
        rng = Generator().manual_seed(seed_of(self.seed, name_of(type(probe))))
        self.watch.is_whole = probe.axis == Axis.EFFICIENCY
        is_done = is_stopped = False
        with measured() as cost:
            try:
                with self.watch.allowing(seconds):
                    findings = tuple(probe(self.model, self.data.splits, rng=rng))
                is_done = True
            except Spent:
                findings, is_stopped = self._spent(probe), True
            except Exception as error:  # whatever happens to one probe, the others go on
                findings = self._failed(probe, error)
            finally:
                self.watch.is_whole = False
        told = tuple(told_of(f, self.model) for f in findings)
        found = Measured(key=self._key(probe), findings=told, cost=cost)
        return Tried(found, probe, wanted, is_done, is_stopped)

    def _spent(self, probe: Probe) -> tuple[Finding, ...]:
        why = text("Left out: the budget of {budget} s was spent.", budget=f"{self.budget:g}")
        return (Missing(axis=probe.axis, name=_name(probe), reason=why),)

    def _failed(self, probe: Probe, error: Exception) -> tuple[Finding, ...]:
        if isinstance(error, FivefoldError):
            reason = Text(error.what.template, error.what.facts)
        else:
            reason = text(
                "It ended with {kind}: {problem}.",
                kind=type(error).__name__,
                problem=str(error).strip().partition("\n")[0][:200],
            )
        self.complain(f"{name_of(type(probe))}: {reason}")
        return (Missing(axis=probe.axis, name=_name(probe), reason=reason),)

    def _key(self, probe: Probe) -> str:
        parts: dict[str, Any] = {"probe": encode(probe), "data": self.data.fingerprint}
        return key_of(**parts, seed=self.seed)

    def _noted(self, tried: "Tried") -> Measured:
        """Say of a probe that became smaller that it did: in the run, and beside a number without a note."""
        made, wanted = tried.made, tried.wanted
        if not (tried.is_done and tried.is_part) or made is None or wanted is None:
            return tried.measured
        (name, n), (_, full) = size_of(made), size_of(wanted)
        note = text(
            "Made smaller to fit the budget: {name} was measured with {field} = {n} instead of {full}.",
            name=_name(wanted).replace("_", " "),
            field=name,
            n=n,
            full=full,
        )
        self.notes.append(note)
        found = tuple(_with_note(f, note) for f in tried.measured.findings)
        return replace(tried.measured, findings=found)


class Tried(NamedTuple):
    """What is known of one probe.

    `made` was asked, a part of `wanted` perhaps. `is_done` says that it came to its end, `is_stopped` that
    its time was over before.
    """

    measured: Measured
    made: Probe | None = None
    wanted: Probe | None = None
    is_done: bool = False
    is_stopped: bool = False

    @property
    def is_part(self) -> bool:
        """Whether more could be had with more time."""
        is_smaller = self.is_done and self.made != self.wanted and self._can_shrink
        return self.is_stopped or is_smaller

    @property
    def whole(self) -> float:
        """Seconds that all of the work would take; infinite if not even a part came to its end."""
        if not self.is_done or self.made is None or self.wanted is None:
            return inf
        return self.measured.cost.seconds * work_of(self.wanted) / work_of(self.made)

    @property
    def _can_shrink(self) -> bool:
        return type(self.wanted) in SIZES


def _in_order(found: Mapping[int, Tried]) -> tuple[Measured, ...]:
    return tuple(found[i].measured for i in sorted(found))


def _with_note(finding: Finding, note: Text) -> Finding:
    if isinstance(finding, Evidence) and not finding.note:
        return replace(finding, note=note)
    return finding


def _name(probe: Probe) -> str:
    """Return what a probe is called in the report, as the runner calls it."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(probe).__name__).lower()
