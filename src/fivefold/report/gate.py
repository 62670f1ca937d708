"""Hold the evidence of a run against a policy: on bounds, never on points."""

from collections.abc import Iterator
from dataclasses import replace
from difflib import get_close_matches
from typing import NamedTuple

from fivefold.core.errors import BadRecipe
from fivefold.core.evidence import Axis, Evidence, Finding, Missing
from fivefold.core.text import Text, chinese, text
from fivefold.recipe import Run, Stage
from fivefold.report.change import change
from fivefold.report.check import Check
from fivefold.report.policy import EVERY, Limit, Policy, RuleName
from fivefold.report.verdict import Verdict

CHANGES: tuple[RuleName, ...] = ("max_drop", "max_rise")


class Numbers(NamedTuple):
    """A point with its bounds and unit, or the reason why there is none."""

    value: float = 0.0
    low: float = 0.0
    high: float = 0.0
    unit: str = ""
    missing: Text | None = None


def judge(run: Run, policy: Policy) -> Verdict:
    """Return what `policy` says of `run`.

    A limit is held against the end of the 95 % interval that speaks against it: `at_least` against the
    lower bound, `at_most` against the upper one, a drop or a rise against its worst end.

    Raises:
        BadRecipe: The policy names evidence or stages that do not exist; says where, with the closest match.
    """
    checks: list[Check] = []
    for i, limit in enumerate(policy.limits):
        where = f"limits[{i}]"
        keys = _keys(run, limit.evidence, policy.place(f"{where}.evidence"))
        for stage in _stages(run, policy, limit, where):
            checks += _checks(run, limit, stage, keys)
    return Verdict(run=run.name, checks=tuple(checks))


def _checks(run: Run, limit: Limit, stage: Stage, keys: list[str]) -> Iterator[Check]:
    for key in keys:
        for rule, bound in limit.rules.items():
            against = (limit.against or stage.parent) if rule in CHANGES else ""
            found = _change(run, stage, key, against) if rule in CHANGES else _plain(stage, key)
            yield _check(limit, stage.name, key, rule, bound, found, against)


def _check(
    limit: Limit, stage: str, key: str, rule: RuleName, bound: float, found: Numbers, against: str
) -> Check:
    base = Check(
        key=key, stage=stage, rule=rule, limit=bound, status="MISSING", against=against, required=limit.required
    )  # fmt: skip
    if found.missing is not None:
        return replace(base, reason=found.missing)
    judged = found.low if rule in ("at_least", "max_drop") else found.high
    kept = {
        "at_least": judged >= bound,
        "at_most": judged <= bound,
        "max_drop": -judged <= bound,
        "max_rise": judged <= bound,
    }[rule]
    return replace(
        base,
        status="PASS" if kept else "FAIL",
        value=found.value,
        low=found.low,
        high=found.high,
        judged=judged,
        unit=found.unit,
    )


def _plain(stage: Stage, key: str) -> Numbers:
    finding = _find(stage, key)
    if isinstance(finding, Evidence):
        return Numbers(finding.value, finding.low, finding.high, finding.unit)
    return Numbers(missing=finding.reason if finding else text("Nobody measured it at this stage."))


def _change(run: Run, stage: Stage, key: str, against: str) -> Numbers:
    if not against:
        return Numbers(missing=text("The start has no stage before it to compare with."))
    before, after = _find(run.stage(against), key), _find(stage, key)
    for finding in (after, before):
        if isinstance(finding, Missing):
            return Numbers(missing=finding.reason)
    if not (isinstance(before, Evidence) and isinstance(after, Evidence)):
        return Numbers(missing=text("It was not measured at both stages."))
    found = None if after in stage.changes else change(before, after)
    if found is None:
        return Numbers(missing=text("The two stages do not measure the same thing."))
    return Numbers(found.value, found.low, found.high, after.unit)


def _find(stage: Stage, key: str) -> Finding | None:
    """Return the finding of that key, else the reason given for a probe of that name."""
    findings = (*stage.findings, *stage.changes)
    exact = next((f for f in findings if f.key == key), None)
    reasons = (f for f in findings if isinstance(f, Missing) and key.startswith(f.key))
    return exact or next(reasons, None)


def _keys(run: Run, named: str, where: str) -> list[str]:
    """Return the keys that a limit means: the one it names, or every setting of a name.

    Raises:
        BadRecipe: Nothing of that name is known.
    """
    found = [f for s in run.stages for f in (*s.findings, *s.changes)]
    known = list(dict.fromkeys(f.key for f in found))
    measured = dict.fromkeys(f.key for f in found if isinstance(f, Evidence))
    meant = [k for k in measured if named in (k, k.partition("[")[0])]
    if meant:
        return meant
    if named in known or _is_known(named):
        return [named]
    near = get_close_matches(
        named, [*known, *(k.partition("[")[0] for k in known)], n=1, cutoff=0.5
    )
    raise BadRecipe(
        "There is no evidence called {name}.",
        where=where,
        mend="Did you mean {near}?" if near else "This run has: {known}.",
        name=named,
        near=near[0] if near else "",
        known=", ".join(known) or "-",
    )


def _is_known(named: str) -> bool:
    """Return whether some probe makes such evidence, though this run has none of it."""
    axis, _, rest = named.partition(".")
    name = rest.partition("[")[0]
    return axis in list(Axis) and name.replace("_", " ") in chinese()


def _stages(run: Run, policy: Policy, limit: Limit, where: str) -> tuple[Stage, ...]:
    names = [s.name for s in run.stages]
    for name, field in ((limit.stage, "stage"), (limit.against, "against")):
        if name not in (*names, "") and not (name == EVERY and field == "stage"):
            raise _no_stage(name, names, policy.place(f"{where}.{field}"))
    if policy.stage not in (*names, ""):
        raise _no_stage(policy.stage, names, policy.place("stage"))
    if limit.stage == EVERY:
        return run.stages[1:]
    return (run.stage(limit.stage or policy.stage or names[-1]),)


def _no_stage(name: str, names: list[str], where: str) -> BadRecipe:
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    return BadRecipe(
        "The run has no stage called {name}.",
        where=where,
        mend="Did you mean {near}?" if near else "It has: {known}.",
        name=name,
        near=near[0] if near else "",
        known=", ".join(names),
    )
