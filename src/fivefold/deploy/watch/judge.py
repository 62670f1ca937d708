"""Evidence from production under the policy that let the model ship: one more stage of its run."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fivefold.core.cost import Cost
from fivefold.core.errors import BadInput, BadRecipe
from fivefold.core.evidence import Finding, Missing
from fivefold.core.text import Text, text
from fivefold.deploy.watch.live import Live
from fivefold.recipe.stage import Run, Stage
from fivefold.report.check import Check
from fivefold.report.gate import judge
from fivefold.report.policy import Limit, Policy
from fivefold.report.verdict import Verdict

STAGE = "live"
OLDEST = 3600.0  # seconds
SKEW = 60.0  # seconds that two clocks may disagree


def judge_live(
    run: Run, live: Live, policy: Policy, *, now: float, oldest: float = OLDEST
) -> Verdict:
    """Return what `policy` says of a run and of what a server has found about its model.

    What the server has found is a stage of its own, "live", whose parent is the stage that ships, so that
    `max_drop` at "live" is the fall since then. A limit that names no stage is judged at "live" if the
    server has such evidence or says why not, and at the stage that ships otherwise. Evidence that is too
    old, or from the future, is none: everything at "live" is then missing, and required.

    Args:
        run: The run that the model comes from.
        live: What a server has found.
        policy: The limits.
        now: Seconds since 1970.
        oldest: Seconds that the evidence may be old.

    Raises:
        BadInput: The evidence is of another run.
        BadRecipe: The policy names what does not exist, or says nothing about live evidence.
    """
    _check_same(run, live)
    reason = _why_not(live, now, oldest)
    whole = replace(run, stages=(*run.stages, _stage(live, reason)))
    judge(whole, policy)  # says, with its line, what does not exist
    fallback = policy.stage or live.stage
    checks = [c for limit in policy.limits for c in _checks(run, whole, limit, fallback)]
    if reason:
        checks = [replace(c, required=c.required or c.stage == STAGE) for c in checks]
    if not any(c.stage == STAGE for c in checks):
        raise BadRecipe(
            "This policy says nothing about live evidence.",
            where=policy.place("limits"),
            mend="Limit some of what this server finds: {known}.",
            known=", ".join(dict.fromkeys(_bare(f.key) for f in live.findings)),
        )
    return Verdict(run=run.name, checks=tuple(checks))


def _checks(run: Run, whole: Run, limit: Limit, fallback: str) -> Iterator[Check]:
    """Yield the checks of one limit: at "live" what the server speaks of, the rest as in the ordinary gate."""
    stage = limit.stage or fallback
    ours = _named(whole.stage(STAGE).findings, limit)
    if limit.stage == "" or stage == STAGE:
        for key in ours:
            yield from judge(_narrow(whole, key), _one(limit, key, STAGE)).checks
        if ours and (stage == STAGE or not _measured(run, limit) - set(ours)):
            return
    skipped = ours if limit.stage == "" else []
    told = judge(whole if stage == STAGE else run, _one(limit, limit.evidence, stage)).checks
    yield from (check for check in told if check.key not in skipped)


def _one(limit: Limit, key: str, stage: str) -> Policy:
    return Policy(limits=(replace(limit, evidence=key, stage=stage),))


def _named(findings: Iterable[Finding], limit: Limit) -> list[str]:
    """Return the keys that a limit means: the one it names, or every setting of a name."""
    keys = dict.fromkeys(f.key for f in findings)
    return [key for key in keys if limit.evidence in (key, _bare(key))]


def _measured(run: Run, limit: Limit) -> set[str]:
    return {key for stage in run.stages for key in _named(stage.evidence, limit)}


def _narrow(run: Run, key: str) -> Run:
    """Return the run with the findings of that key alone, so that nothing else answers for it."""

    def kept(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
        return tuple(f for f in findings if f.key == key)

    stages = [replace(s, findings=kept(s.findings), changes=kept(s.changes)) for s in run.stages]
    return replace(run, stages=tuple(stages))


def _bare(key: str) -> str:
    return key.partition("[")[0]


def _stage(live: Live, reason: Text) -> Stage:
    findings = live.findings
    if reason:
        findings = tuple(
            Missing(axis=f.axis, name=f.name, setting=f.setting, reason=reason) for f in findings
        )
    return Stage(
        name=STAGE, parent=live.stage, step={}, lineage=(), findings=findings, changes=(),
        cost=Cost(), probe_cost=Cost(), key=live.digest,
    )  # fmt: skip


def _why_not(live: Live, now: float, oldest: float) -> Text:
    """Return why the evidence cannot be used; empty if it can."""
    age = now - live.written
    if age < -SKEW:
        return text("It is dated {when}, which is in the future: a clock is wrong.", when=live.when)
    if not age <= oldest:  # a limit that is no number lets nothing through
        return text(
            "It was measured {age} minutes ago and may be {oldest} old: is the server still up?",
            age=age / 60,
            oldest=oldest / 60,
        )
    return Text("")


def _check_same(run: Run, live: Live) -> None:
    names = [stage.name for stage in run.stages]
    if STAGE in names:
        raise BadInput(
            'The run has a stage called "live" of its own.',
            where=run.name,
            mend="Give that stage another name in the recipe.",
        )
    if run.name != live.run or live.stage not in names:
        raise BadInput(
            "This evidence is of {other}, not of {run}.",
            mend="Give the run or bundle that the server serves.",
            other=f"{live.run or live.name}:{live.stage}",
            run=run.name,
        )
