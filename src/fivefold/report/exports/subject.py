"""The one model that an export speaks of, with all that is known about it."""

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fivefold.core.jsonfile import to_json
from fivefold.core.text import Text
from fivefold.recipe import Run, Stage
from fivefold.report.exports.statements import Statements
from fivefold.report.verdict import Verdict

MODEL_FILES = ("model.safetensors", "model.json")


class Subject(NamedTuple):
    """A stage of a run, what its author states, what a policy says, and what was shown about its bundle."""

    run: Run
    stage: Stage
    statements: Statements = Statements()
    verdict: Verdict | None = None
    seal: Text = Text("")

    @property
    def ancestry(self) -> tuple[Stage, ...]:
        """The stages that the model went through, the first one first."""
        found, at = [self.stage], self.run.parent_of(self.stage)
        while at is not None:
            found, at = [at, *found], self.run.parent_of(at)
        return tuple(found)

    def recipe_hash(self) -> str:
        """Return the SHA-256 of `recipe.toml` if that is the recipe of this run, else of its table as JSON."""
        file = self.run.folder / "recipe.toml"
        if file.is_file():
            told = file.read_bytes()
            if _is_told(told, self.run.recipe):
                return hashlib.sha256(told).hexdigest()
        return hashlib.sha256(to_json(self.run.recipe).encode()).hexdigest()

    def command(self) -> str:
        """Return the command that makes these numbers again."""
        if "audit" in self.run.recipe:
            return "fivefold audit MODEL --data FILE"
        return "fivefold run recipe.toml"

    def files(self) -> Iterator[tuple[str, str]]:
        """Yield name and SHA-256 of each file of the model in the run folder."""
        names = [stage.name for stage in self.run.stages]
        place = f"{names.index(self.stage.name):02d}-{self.stage.name}"
        for name in MODEL_FILES:
            path = self.run.folder / "stages" / place / name
            if path.is_file():
                yield name, digest_of(path)


def subject_of(
    run: Run,
    stage: str = "",
    *,
    statements: Statements = Statements(),
    verdict: Verdict | None = None,
    seal: Text = Text(""),
) -> Subject:
    """Return what an export speaks of.

    Args:
        run: What happened.
        stage: Name of the stage; "" is the last.
        statements: What the author states.
        verdict: What a policy says of the run.
        seal: What was shown about the bundle of this stage; empty if there is none.

    Raises:
        BadInput: There is no such stage.
    """
    return Subject(run, run.asked_for(stage), statements, verdict, seal)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_told(told: bytes, recipe: Mapping[str, Any]) -> bool:
    try:
        return to_json(tomllib.loads(told.decode())) == to_json(recipe)
    except ValueError:
        return False
