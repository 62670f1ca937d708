"""A real small run with weights, one with nothing in it, and what an author might state."""

from dataclasses import replace
from pathlib import Path

import pytest

from fivefold.core.cost import Cost
from fivefold.core.schema import Schema
from fivefold.core.task import Task
from fivefold.recipe import DataCard, Run, Stage, recipe_from
from fivefold.recipe import run as carry_out
from fivefold.report import judge, policy_from
from fivefold.report.exports import Subject, empty_statements, read_statements, subject_of
from fivefold.report.exports.tables import questions
from toyrecipe import table

PROBES = [
    {"use": "learning.Accuracy"},
    {"use": "efficiency.Size"},
    {"use": "generalization.Calibration"},
    {"use": "privacy.Epsilon"},
    {"use": "toy:Blind"},
]
LIMITS = {"limits": [{"evidence": "learning.accuracy", "at_least": 0.05}]}


@pytest.fixture(scope="session")
def small(tmp_path_factory) -> Run:
    recipe = recipe_from(table(probes=PROBES, comparisons=[], policy=LIMITS))
    return carry_out(recipe, tmp_path_factory.mktemp("exports"))


@pytest.fixture(scope="session")
def subject(small) -> Subject:
    return subject_of(
        small, "plain", verdict=judge(small, policy_from({**LIMITS, "stage": "plain"}))
    )


@pytest.fixture(scope="session")
def empty() -> Subject:
    """A run that has a name and nothing else."""
    bare = Stage(name="start", parent="", step={}, lineage=(), findings=(), changes=(), cost=Cost(), probe_cost=Cost(), key="")  # fmt: skip
    card = DataCard(
        name="", fingerprint="", task=Task(classes=("a", "b")), schema=Schema(), sizes={}
    )
    run = Run(name="bare", folder=Path("nowhere"), recipe={}, stages=(bare,), data=card, environment={}, created="")  # fmt: skip
    return subject_of(run)


@pytest.fixture(scope="session")
def all_stated(tmp_path_factory) -> Path:
    """A file in which every question has an answer."""
    path = tmp_path_factory.mktemp("stated") / "statements.toml"
    told = empty_statements().replace("# by =", "by =").replace('by = ""', 'by = "Ada"', 1)
    for key in questions():
        told = told.replace(f'# {key} = ""', f'{key} = "words on {key}"')
    path.write_text(told, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def stated(subject, all_stated) -> Subject:
    return subject._replace(statements=read_statements(all_stated))


@pytest.fixture(scope="session")
def hostile(subject, tmp_path_factory) -> Subject:
    """A run and an author that try to break out of a page."""
    evil = HOSTILE
    path = tmp_path_factory.mktemp("hostile") / "statements.toml"
    path.write_text(f"by = '{evil}'\nlimits = '''{evil}'''\nintended_purpose = '''{evil}'''\n")
    run = replace(
        subject.run,
        name=evil,
        environment={"python": evil, "torch": evil, "processor": evil},
        data=replace(subject.run.data, name=evil, fingerprint=evil),
    )
    return subject._replace(run=run, statements=read_statements(path))


HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>| ![a](javascript:x) {0} {evil}'
