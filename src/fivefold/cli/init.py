"""Write a recipe and a policy to start from."""

from pathlib import Path

import tomli_w

from fivefold.cli.voice import Voice
from fivefold.core.atomic import write_atomic
from fivefold.core.errors import BadInput

HEAD = "# Carry it out with: fivefold run {name}\n# What else can stand here: fivefold list\n\n"


def init(folder: Path, data: Path | None, target: str, voice: Voice) -> None:
    """Write `recipe.toml` and `policy.toml` into `folder`; nothing that is there is overwritten.

    Raises:
        BadInput: A file of that name exists, or a data file was given without a target.
    """
    if data and not target:
        raise BadInput(
            "Which column of {file} is to be predicted?",
            mend="Name it with --target.",
            file=str(data),
        )
    files = {"recipe.toml": HEAD.format(name="recipe.toml") + tomli_w.dumps(_recipe(data, target))}
    files["policy.toml"] = (
        "# Judge a run by it: fivefold gate runs/mine --policy policy.toml\n\n"
        + tomli_w.dumps(_policy())
    )
    for name in files:
        if (folder / name).exists():
            raise BadInput(
                "This file exists already.",
                where=str(folder / name),
                mend="Move it away, or choose another folder.",
            )
    for name, content in files.items():
        write_atomic(folder / name, content)
    voice.give({"files": [str(folder / name) for name in files]})
    voice.say("Wrote {a} and {b}.", a=str(folder / "recipe.toml"), b=str(folder / "policy.toml"))


def _recipe(data: Path | None, target: str) -> dict[str, object]:
    source: dict[str, object] = {"use": "data.Bundled", "name": "breast_cancer"}
    if data:
        source = {"use": "data.Table", "path": str(data.resolve()), "target": target}
    return {
        "name": "mine",
        "seed": 0,
        "preset": "quick",
        "data": source,
        "model": {"use": "models.MLP", "hidden": [64, 64]},
        "steps": [
            {"name": "plain", "use": "learning.Finetune", "after": "start", "epochs": 40},
            {"name": "robust", "use": "generalization.AdversarialTraining", "after": "plain"},
            {"name": "small", "use": "efficiency.Distill", "after": "robust"},
        ],
    }


def _policy() -> dict[str, object]:
    return {
        "limits": [
            {"evidence": "learning.accuracy", "max_drop": 0.1, "against": "plain"},
            {"evidence": "generalization.robust_accuracy", "at_least": 0.5},
            {"evidence": "privacy.attack_auc", "at_most": 0.65},
        ]
    }
