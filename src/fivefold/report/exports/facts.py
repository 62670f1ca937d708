"""What a run records besides its numbers, as sentences; nothing where it records nothing."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeAlias

from fivefold.core.text import Text, text
from fivefold.recipe.environment import PACKAGES
from fivefold.report.exports import model_facts
from fivefold.report.exports.subject import Subject
from fivefold.report.findings import findings

Lines: TypeAlias = Iterable[Text]
MACHINE = ("processor", "accelerator", "system", "threads", "OMP_WAIT_POLICY", "load average")
RERUN = text("Run the recipe again with this version of Fivefold.")


class Fact(NamedTuple):
    """A kind of record: what it is called, how it is read off a run, and what to do if it is not there."""

    name: Text
    read: Callable[[Subject], Lines]
    mend: Text = RERUN


def _identity(of: Subject) -> Lines:
    if of.run.created:
        yield text("Run {run}, stage {stage}, ended {when}.", run=of.run.name, stage=of.stage.name, when=of.run.created)  # fmt: skip


def _recipe(of: Subject) -> Lines:
    if of.run.recipe:
        yield text("Every setting is in recipe.toml, SHA-256 {digest}.", digest=of.recipe_hash())


def _probes(of: Subject) -> Lines:
    uses = [
        str(p.get("use", "")) for k in ("probes", "comparisons") for p in of.run.recipe.get(k, ())
    ]
    if uses:
        yield text("Measured with: {probes}.", probes=", ".join(dict.fromkeys(uses)))


def _intervals(of: Subject) -> Lines:
    kinds = sorted({e.interval for e in of.stage.evidence if e.interval})
    if kinds:
        n = len(of.stage.evidence)
        yield text("{n} numbers with 95 % bounds, made by: {kinds}.", n=n, kinds=", ".join(kinds))


def _software(of: Subject) -> Lines:
    known = of.run.environment
    if told := ", ".join(f"{k} {known[k]}" for k in ("python", "torch", *PACKAGES) if k in known):
        yield text("{told}", told=told)


def _machine(of: Subject) -> Lines:
    told = {k: of.run.environment[k] for k in MACHINE if k in of.run.environment}
    if told:
        yield text("{told}", told=", ".join(f"{k}: {v}" for k, v in told.items()))


def _cost(of: Subject) -> Lines:
    steps = [s for s in of.ancestry if s.step]
    if steps:
        yield text(
            "Training took {seconds} s of time and {cpu} s of processor time over {n} steps; measuring this stage took {probes} s.",
            seconds=f"{sum(s.cost.seconds for s in steps):.1f}",
            cpu=f"{sum(s.cost.cpu_seconds for s in steps):.1f}",
            n=len(steps),
            probes=f"{of.stage.probe_cost.seconds:.1f}",
        )


def _verdict(of: Subject) -> Lines:
    checks = [c for c in of.verdict.checks if c.stage == of.stage.name] if of.verdict else []
    if not checks:
        return
    kept = sum(c.passed for c in checks)
    yield text("{kept} of {n} limits of the policy hold at this stage.", kept=kept, n=len(checks))
    for check in checks:
        yield text(
            "{status}: {key}, {rule} {limit}",
            status=check.status,
            key=check.key,
            rule=check.rule.replace("_", " "),
            limit=f"{check.limit:g}",
        )


def _trades(of: Subject) -> Lines:
    names = {s.name for s in of.ancestry}
    yield from (f.sentence for f in findings(of.run) if f.kind == "trade" and f.stage in names)


def _warnings(of: Subject) -> Lines:
    """Yield the warnings about this stage; those about several stages name them."""
    found = [f for f in findings(of.run) if f.kind == "warning"]
    yield from (f.sentence for f in found if f.stage == of.stage.name or _names(f.sentence, of))


def _names(sentence: Text, of: Subject) -> bool:
    return of.stage.name in str(sentence.facts.get("stages", "")).split(", ")


def _unmeasured(of: Subject) -> Lines:
    """Yield what was asked and could not be measured; that everything could be is a finding too."""
    if not of.stage.findings:
        return
    lacking = model_facts.lacking(of.stage)
    if not lacking:
        yield text("Everything that was asked could be measured.")
    for missing in lacking:
        yield text("{key}: {reason}", key=missing.key, reason=str(missing.reason))


def _seal(of: Subject) -> Lines:
    if of.seal:
        yield of.seal


def _privacy(of: Subject) -> Lines:
    for record in of.stage.lineage:
        if record.claim.privacy:
            told = json.dumps(record.claim.privacy, ensure_ascii=False, sort_keys=True, default=str)
            yield text("{step} claims: {told}", step=record.name, told=told)


FACTS: Mapping[str, Fact] = {
    "run.identity": Fact(text("Run"), _identity),
    "run.recipe": Fact(text("Recipe"), _recipe),
    "run.probes": Fact(text("Probes"), _probes, text("Name [[probes]] or a preset in the recipe and run it again.")),
    "run.intervals": Fact(text("Kinds of interval"), _intervals, text("Name [[probes]] or a preset in the recipe and run it again.")),
    "model.task": Fact(text("Task"), model_facts.task),
    "model.architecture": Fact(text("Architecture"), model_facts.architecture, text("State the architecture: the run had a model that exists already.")),
    "model.inputs": Fact(text("Inputs"), model_facts.inputs),
    "model.files": Fact(text("Files of the model"), model_facts.files, text("The run folder holds no weights of this stage; run the recipe again.")),
    "model.lineage": Fact(text("Lineage"), model_facts.lineage, text("State how the model was made: the run did not make it.")),
    "data.identity": Fact(text("Data"), model_facts.data),
    "data.sizes": Fact(text("Examples"), model_facts.sizes),
    "data.balance": Fact(text("Training examples per class"), model_facts.balance, text("Only classes have a balance; state how the target is distributed.")),
    "data.columns": Fact(text("Columns"), model_facts.columns, text("Only tables have columns; state whom the data concern.")),
    "data.notes": Fact(text("Findings of loading"), model_facts.notes, text("Loading found nothing to tell; state how the data were checked.")),
    "environment.software": Fact(text("Software"), _software),
    "environment.machine": Fact(text("Machine"), _machine),
    "cost.training": Fact(text("Cost"), _cost, text("State the cost of training: the run did not train.")),
    "policy.verdict": Fact(text("Policy"), _verdict, text("Write [[policy.limits]] for this stage into the recipe.")),
    "privacy.mechanism": Fact(text("Private mechanism"), _privacy, text("Nothing read the data through a private mechanism; train with privacy.DPSGD for one.")),
    "findings.trades": Fact(text("Trade-offs"), _trades, text("No step certainly cost another promise; compare stages with more test examples to see smaller changes.")),
    "findings.warnings": Fact(text("Warnings"), _warnings, text("No number is certainly at chance; state where the model should not be relied on.")),
    "findings.unmeasured": Fact(text("Not measured"), _unmeasured, text("Name [[probes]] or a preset in the recipe and run it again.")),
    "bundle.seal": Fact(text("Bundle"), _seal, text("Pack the stage into the run folder: fivefold bundle RUN --sign KEY.")),
}  # fmt: skip
