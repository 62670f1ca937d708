"""The run folder: plain files, each written whole or not at all, each verified when read again."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import tomli_w

from fivefold.core.atomic import write_atomic
from fivefold.core.cost import Cost
from fivefold.core.errors import BadInput, Damaged
from fivefold.core.evidence import Finding
from fivefold.core.lineage import Lineage
from fivefold.core.model import Model
from fivefold.core.sealed import sealed, unsealed
from fivefold.models import load_model, save_model
from fivefold.models.torch import TorchModel
from fivefold.recipe.stage import Run

MODEL_FILES = ("model.safetensors", "model.json")


@dataclass(frozen=True, kw_only=True)
class Made:
    """What is kept of a step that was carried out.

    Attributes:
        key: Hash of everything the step depended on.
        model_hash: Hash of the files of the model that came out.
        lineage: What was done to the model.
        cost: What the step took.
    """

    key: str
    model_hash: str
    lineage: Lineage
    cost: Cost


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one probe found.

    Attributes:
        key: Hash of everything the findings depend on.
        findings: What was found.
        cost: What it took.
        is_comparison: Whether it is about the stage and its parent, not about the stage alone.
    """

    key: str
    findings: tuple[Finding, ...]
    cost: Cost = field(default_factory=Cost)
    is_comparison: bool = False


class StageFolder(NamedTuple):
    """The files of one stage."""

    path: Path

    def made(self, key: str) -> Made | None:
        """Return what was kept under `key`; None if it is not there, is out of date or is damaged."""
        try:
            made = _unsealed(self.path / "stage.json", Made)
            return made if made.key == key and made.model_hash == self.model_hash() else None
        except (OSError, Damaged):
            return None

    def keep(self, key: str, model: Model, cost: Cost) -> Made:
        """Write the model, then the record that vouches for it.

        Raises:
            BadInput: The model is not one whose weights we hold.
        """
        if not isinstance(model, TorchModel):
            raise BadInput(
                "A {kind} cannot be kept in a run folder.",
                mend="End the recipe before this step, or distil it into a network.",
                kind=type(model).__name__,
            )
        save_model(model, self.path)
        made = Made(key=key, model_hash=self.model_hash(), lineage=model.lineage, cost=cost)
        write_atomic(self.path / "stage.json", sealed(made))
        return made

    def model(self, plugins: tuple[str, ...] = ()) -> TorchModel:
        """Return the model that was kept."""
        return load_model(self.path, plugins=plugins)

    def model_hash(self) -> str:
        """Return a hash of the files of the model as they are now."""
        files = [hashlib.sha256((self.path / f).read_bytes()).hexdigest() for f in MODEL_FILES]
        return hashlib.sha256("".join(files).encode()).hexdigest()

    def measured(self) -> dict[str, Measured]:
        """Return what was found before, by key; nothing if the file is not there or is damaged."""
        try:
            found = _unsealed(self.path / "evidence.json", tuple[Measured, ...])
        except (OSError, Damaged):
            return {}
        return {m.key: m for m in found}

    def keep_measured(self, found: tuple[Measured, ...]) -> None:
        """Write what was found."""
        write_atomic(self.path / "evidence.json", sealed(found))


class RunFolder(NamedTuple):
    """The files of one run."""

    path: Path

    def stage(self, index: int, name: str) -> StageFolder:
        """Return the folder of a stage; one that has moved to another place in the recipe is renamed."""
        wanted = self.path / "stages" / f"{index:02d}-{name}"
        for path in self.path.glob("stages/*"):
            if path != wanted and re.fullmatch(rf"\d\d+-{re.escape(name)}", path.name):
                if wanted.exists():
                    continue
                path.rename(wanted)
        return StageFolder(wanted)

    def start(self, recipe: Mapping[str, Any]) -> None:
        """Write the recipe with every default written out; the record of an earlier run is void."""
        (self.path / "run.json").unlink(missing_ok=True)
        write_atomic(self.path / "recipe.toml", tomli_w.dumps(recipe))

    def keep_run(self, run: Run) -> None:
        """Write what happened."""
        write_atomic(self.path / "run.json", sealed(run))


def read_run(path: Path) -> Run:
    """Return the run kept in the folder `path`.

    Raises:
        BadInput: It is no run folder, or its run has not ended.
        Damaged: Its record is not what was written.
    """
    file = path / "run.json"
    if not file.is_file():
        raise BadInput(
            "There is no finished run here.",
            where=str(path),
            mend='Give the folder that "fivefold run" named; run the recipe again if it was stopped.',
        )
    return replace(_unsealed(file, Run), folder=path)


def _unsealed(path: Path, kind: Any) -> Any:
    mend = "Delete the folder of that stage and run the recipe again."
    return unsealed(path.read_bytes(), kind, where=str(path), mend=mend)
