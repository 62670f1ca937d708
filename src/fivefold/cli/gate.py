"""Judge a run by a policy."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from fivefold.cli.voice import Voice
from fivefold.core.atomic import write_atomic
from fivefold.core.errors import BadRecipe
from fivefold.core.text import Language, translate
from fivefold.recipe import Run, read_run
from fivefold.report import Check, Policy, Verdict, judge, junit, policy_from, read_policy

if TYPE_CHECKING:
    from rich.table import Table

NOTHING: Mapping[str, Any] = MappingProxyType({})


def gate(folder: Path, policy: Path | None, report: Path | None, voice: Voice) -> None:
    """Print the verdict and write it as JUnit XML if asked to.

    Raises:
        GateFailed: A limit is broken, or a required number is missing.
    """
    run = read_run(folder)
    conclude(judge(run, read_policy(policy) if policy else policy_of(run)), report, voice)


def conclude(
    verdict: Verdict, report: Path | None, voice: Voice, more: Mapping[str, Any] = NOTHING
) -> None:
    """Print a verdict, with `more` to its JSON, and write it as JUnit XML if asked to.

    Raises:
        GateFailed: A limit is broken, or a required number is missing.
    """
    if report:
        write_atomic(report, junit(verdict))
    voice.give({**verdict.to_dict(), **more}, table(verdict, voice))
    verdict.raise_for_status()
    voice.say("The gate is passed; checks: {n}.", n=len(verdict.checks))


def policy_of(run: Run) -> Policy:
    """Return the policy inside the run's recipe.

    Raises:
        BadRecipe: It has none.
    """
    if not run.recipe.get("policy"):
        raise BadRecipe(
            "The recipe of this run has no policy.",
            where=str(run.folder),
            mend="Give one with --policy FILE, or write [[policy.limits]] into the recipe.",
        )
    return policy_from(run.recipe["policy"])


def table(verdict: Verdict, voice: Voice) -> "Table":
    """Return the verdict as a table for the terminal: one line per check, the reason below if there is one."""
    from rich.markup import escape
    from rich.table import Table

    shown = Table(box=None, pad_edge=False)
    for head in ("", "stage", "evidence", "limit", "found"):
        shown.add_column(translate(head, voice.language), no_wrap=head in ("", "stage"))
    for check in verdict.checks:
        status = translate(check.status, voice.language)
        shown.add_row(
            f"[{_colour(check)}]{status}[/]",
            escape(check.stage),
            escape(check.key),
            escape(_rule(check, voice.language)),
            escape(_found(check, voice.language)),
        )
    return shown


def _colour(check: Check) -> str:
    if check.status == "MISSING":
        return "yellow" if check.required else "dim"
    return "green" if check.passed else "red"


def _rule(check: Check, language: Language) -> str:
    rule = f"{translate(check.rule.replace('_', ' '), language)} {check.limit:g}"
    return f"{rule} ({check.against})" if check.against else rule


def _found(check: Check, language: Language) -> str:
    if check.value is None:
        return check.reason.words(language)
    return f"{check.value:.4g} [{check.low:.4g}, {check.high:.4g}]"
