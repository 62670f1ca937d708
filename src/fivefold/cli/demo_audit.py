"""The last act of the demo: a model that was trained without Fivefold, audited as it is."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fivefold.cli.audit import perform
from fivefold.cli.voice import Voice
from fivefold.core.atomic import write_atomic
from fivefold.core.errors import MissingExtra
from fivefold.recipe import Run
from fivefold.recipe.audit import Given, Plan, Subject, Watch

BUDGET = 20.0  # seconds


def show(workdir: Path, voice: Voice) -> Run:
    """Train a forest with scikit-learn alone, keep it as a file, and audit that file on rows it has not seen.

    Raises:
        MissingExtra: skops, which writes and reads such files, is not installed.
    """
    place = workdir / "demo-audit"
    place.mkdir(parents=True, exist_ok=True)
    model = _trained_elsewhere(place)
    voice.say("A model trained with scikit-learn alone: {path}", path=str(model))
    subject, given = (
        Subject(named=str(model)),
        Given(data=place / "held-out.csv", target="diagnosis"),
    )
    plan = Plan(budget_seconds=BUDGET)
    return perform(subject, given, plan, (workdir, "audited-forest"), voice, Watch())


def _trained_elsewhere(place: Path) -> Path:
    """Write what somebody else might have: a model file, and a table of rows held out from it."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import train_test_split

    bunch: Any = load_breast_cancer()
    names = [str(n).replace(" ", "_") for n in bunch.feature_names]
    truth = [str(bunch.target_names[i]) for i in bunch.target]
    x, held, y, held_y = train_test_split(bunch.data, truth, test_size=0.5, random_state=0)
    forest = RandomForestClassifier(n_estimators=50, random_state=0).fit(x, y)
    _dump(forest, place / "forest.skops")
    _write_table(
        place / "held-out.csv",
        [*names, "diagnosis"],
        [[*r, t] for r, t in zip(held, held_y, strict=True)],
    )
    return place / "forest.skops"


def _dump(estimator: Any, path: Path) -> None:
    try:
        import skops.io
    except ImportError as error:
        raise MissingExtra(
            "Reading this file needs {package}, which is not installed.",
            where=str(path),
            mend='Install it: pip install "fivefold[{extra}]".',
            package="skops",
            extra="sklearn-io",
        ) from error
    write_atomic(path, skops.io.dumps(estimator))


def _write_table(path: Path, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([names, *rows])
