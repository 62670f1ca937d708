"""Judge a run by a policy."""

from pathlib import Path

from fivefold.cli.voice import Voice
from fivefold.core.atomic import write_atomic
from fivefold.core.errors import BadRecipe
from fivefold.recipe import Run, read_run
from fivefold.report import Policy, Verdict, judge, junit, policy_from, read_policy


def gate(folder: Path, policy: Path | None, report: Path | None, voice: Voice) -> None:
    """Print the verdict and write it as JUnit XML if asked to.

    Raises:
        GateFailed: A limit is broken, or a required number is missing.
    """
    run = read_run(folder)
    verdict = judge(run, read_policy(policy) if policy else policy_of(run))
    if report:
        write_atomic(report, junit(verdict))
    voice.give(verdict.to_dict(), table(verdict, voice))
    verdict.raise_for_status()


def policy_of(run: Run) -> Policy:
    """Return the policy inside the run's recipe.

    Raises:
        BadRecipe: It has none.
    """
    if not run.recipe["policy"]:
        raise BadRecipe(
            "The recipe of this run has no policy.",
            where=str(run.folder),
            mend="Give one with --policy FILE, or write [[policy.limits]] into the recipe.",
        )
    return policy_from(run.recipe["policy"])


def table(verdict: Verdict, voice: Voice) -> object:
    """Return the verdict as a table for the terminal."""
    from rich.markup import escape
    from rich.table import Table

    from fivefold.core.text import translate

    colours = {"PASS": "green", "FAIL": "red", "MISSING": "yellow"}
    shown = Table(box=None, show_header=False)
    for check in verdict.checks:
        colour = colours[check.status] if not check.passed or check.status == "PASS" else "dim"
        seen = (
            "" if check.value is None else f"{check.value:.4g} [{check.low:.4g}, {check.high:.4g}]"
        )
        status = translate(check.status, voice.language)
        rule = f"{translate(check.rule.replace('_', ' '), voice.language)} {check.limit:g}"
        reason = check.reason.words(voice.language)
        shown.add_row(
            f"[{colour}]{status}[/]",
            escape(check.stage),
            escape(check.key),
            escape(seen),
            rule,
            escape(reason),
        )
    return shown
