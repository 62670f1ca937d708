"""A stage of another run beside the audited model, if the two can be compared."""

from dataclasses import replace
from pathlib import Path

from fivefold.core.data import Dataset
from fivefold.core.errors import BadInput
from fivefold.core.evidence import Evidence
from fivefold.recipe.folder import read_run
from fivefold.recipe.stage import Stage


def baseline(named: str, data: Dataset) -> Stage:
    """Return the stage that `named` (RUN or RUN:STAGE) means, ready to be the first of another run.

    Raises:
        BadInput: There is no such run or stage, or it measured other data.
    """
    whole, (folder, colon, stage) = Path(named), named.rpartition(":")
    is_whole = not colon or (whole / "run.json").is_file()
    run = read_run(whole if is_whole else Path(folder))
    found = run.asked_for("" if is_whole else stage)
    if run.data.fingerprint != data.fingerprint:
        raise BadInput(
            "The run {run} measured other data, so the two cannot be compared: {theirs} with {n} test rows there, {mine} with {m} here.",
            where="--baseline",
            mend="Audit on the same data: the same --data, --target, --train and --seed as that audit, or --data with the recipe of that run.",
            run=run.name,
            theirs=run.data.name,
            n=run.data.sizes.get("test", 0),
            mine=data.name,
            m=data.splits.test.size,
        )
    return replace(found, name=f"{run.name}/{found.name}", parent="", changes=())


def check_shared(before: Stage, after: Stage) -> None:
    """Refuse a comparison of two stages that have no number in common.

    Raises:
        BadInput: No number was measured in the same setting at both.
    """
    mine, theirs = ({f.key for f in s.findings if isinstance(f, Evidence)} for s in (after, before))
    if mine and not mine & theirs:
        raise BadInput(
            "{name} has no number that was measured in the same setting as here.",
            where="--baseline",
            mend="Audit with the same --preset, --axes and --budget-seconds as that run.",
            name=before.name,
        )
