"""Write a recipe and a policy to start from."""

import json
from pathlib import Path

from torch import Generator

from fivefold.cli.voice import Voice
from fivefold.core.atomic import write_atomic
from fivefold.core.errors import BadInput
from fivefold.data import Table
from fivefold.recipe.recipe import is_name
from fivefold.report.exports import empty_statements
from fivefold.report.exports.statements import FILE as STATEMENTS

RECIPE = """\
# Carry it out with: fivefold run {recipe}
# What else can stand here: fivefold list
name = {name}
seed = 0
preset = "quick"

[data]
{data}

[model]
use = "models.MLP"
hidden = [64, 64]

[[steps]]
name = "plain"
use = "learning.Finetune"
after = "start"
epochs = 40
"""
STEPS = """
[[steps]]
name = "robust"
use = "generalization.AdversarialTraining"
after = "plain"

[[steps]]
name = "small"
use = "efficiency.Distill"
after = "robust"
"""
POLICY = """\
# Judge a run by it: fivefold gate runs/{name} --policy {policy}
# Limits are held against the end of the 95 % interval that speaks against the model.
"""
CLASSES = """
[[limits]]
evidence = "learning.accuracy"
max_drop = 0.1
against = "plain"

[[limits]]
evidence = "generalization.robust_accuracy"
at_least = 0.5

[[limits]]
evidence = "privacy.attack_auc"
at_most = 0.65
"""
NUMBERS = """
[[limits]]
evidence = "learning.r2"
at_least = 0.5
"""


def init(folder: Path, data: Path | None, target: str, voice: Voice) -> None:
    """Write a recipe, a policy and an empty file of statements into `folder`; nothing that is there is overwritten.

    Raises:
        BadInput: A file of that name exists, or the data file cannot be used.
    """
    recipe, policy, stated = (folder / n for n in ("recipe.toml", "policy.toml", STATEMENTS))
    _check_free(recipe, policy, stated)
    is_classification = _read(data, target) if data else True
    name = _name(folder)
    head = RECIPE.format(recipe=recipe, name=_quoted(name), data=_source(data, target))
    write_atomic(recipe, head + (STEPS if is_classification else ""))
    limits = POLICY.format(name=name, policy=policy)
    write_atomic(policy, limits + (CLASSES if is_classification else NUMBERS))
    write_atomic(stated, empty_statements(str(stated), voice.language))
    voice.give({"files": [str(recipe), str(policy), str(stated)]})
    voice.say("Wrote {a} and {b}.", a=str(recipe), b=str(policy))
    voice.say("What only you can state of the model goes into {path}.", path=str(stated))
    voice.say("Next: fivefold run {recipe}", recipe=str(recipe))


def _check_free(*files: Path) -> None:
    for path in files:
        if path.exists():
            raise BadInput(
                "This file exists already.",
                where=str(path),
                mend="Move it away, or choose another folder.",
            )


def _read(data: Path, target: str) -> bool:
    """Read the data once, so that what is wrong with them is said now; return whether they have classes."""
    if not target:
        raise BadInput(
            "Which column of {file} is to be predicted?",
            mend="Name it with --target.",
            file=str(data),
        )
    loaded = Table(path=str(data.resolve()), target=target).load(Path(), Generator().manual_seed(0))
    return loaded.task.is_classification


def _name(folder: Path) -> str:
    """Return the name of the folder as the name of the run, if a run may be called that."""
    name = folder.resolve().name
    return name if is_name(name) else "mine"


def _source(data: Path | None, target: str) -> str:
    if data is None:
        return 'use = "data.Bundled"\nname = "breast_cancer"'
    path = _quoted(str(data.resolve()))
    return f'use = "data.Table"\npath = {path}\ntarget = {_quoted(target)}'


def _quoted(words: str) -> str:
    """Return a TOML string; JSON spells one the same way."""
    return json.dumps(words, ensure_ascii=False)
