"""What is audited: a file, a function, an endpoint, a bundle, or a stage of a run."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from fivefold.core.data import Dataset
from fivefold.core.model import Model
from fivefold.models.folder import weight_files
from fivefold.models.form import form_of
from fivefold.models.kind import Answers
from fivefold.models.onnx_file import read_onnx
from fivefold.models.open import open_model
from fivefold.models.save import load_model
from fivefold.models.torch import TorchModel
from fivefold.models.web import Access
from fivefold.recipe.folder import RunFolder, StageFolder, read_run

PIECE = 2**20


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model by its name, and what it takes to open it.

    Attributes:
        named: What `open_model` takes, or the folder of a run, or `RUN:STAGE`.
        factory: `package.module:function` that builds the network for a safetensors file.
        answers: What it answers; found out by asking if not said.
        trusted: Types in a file, or packages of an architecture, that are trusted.
        access: How an endpoint is asked.
    """

    named: str
    factory: str = ""
    answers: Answers = "auto"
    trusted: tuple[str, ...] = ()
    access: Access = Access()

    def own(self) -> TorchModel | None:
        """Return the model if it is one of ours, which knows itself what it reads and answers.

        Raises:
            BadInput: The run has no such stage.
        """
        folder = self._stage()
        if folder is not None:
            return folder.model(self.trusted)
        path = Path(self.named)
        if "\0" not in self.named and (path / "model.json").is_file():
            return load_model(path, plugins=self.trusted)
        return None

    def open(self, data: Dataset) -> Model:
        """Return the model for these data.

        Raises:
            BadInput: It does not exist or does not fit the data.
            Damaged: A file is not what it should be, or could run code.
            MissingExtra: The library that reads it is not installed.
        """
        return open_model(
            self.named,
            task=data.task,
            schema=data.schema,
            factory=self.factory,
            answers=self.answers,
            trusted=self.trusted,
            access=self.access,
        )

    @property
    def label(self) -> str:
        """A short name: the file, the function or the stage."""
        folder = self._stage()
        if folder is not None:
            return f"{folder.path.parent.parent.name}-{folder.path.name.partition('-')[2]}"
        tail = self.named.rstrip("/").rpartition("/")[2]
        return Path(tail).stem if Path(self.named).exists() else tail.rpartition(":")[2] or tail

    def content_hash(self) -> str:
        """Return the SHA-256 of the file, or of all its files with their names; "" if there is none.

        All are those of a folder, and the weights beside an ONNX file.
        """
        folder = self._stage()
        path = folder.path if folder is not None else Path(self.named)
        if "\0" in self.named or not path.exists():
            return ""
        files = _files(path)
        whole = hashlib.sha256()
        for file in files:
            if files != [path]:
                told = file.relative_to(path) if path.is_dir() else Path(file.name)
                whole.update(told.as_posix().encode())
            with file.open("rb") as opened:
                while piece := opened.read(PIECE):
                    whole.update(piece)
        return whole.hexdigest()

    def stored_bytes(self) -> int:
        """Return how many bytes the file of a foreign model takes, its weights elsewhere included; 0 if none."""
        path, form = Path(self.named), form_of(self.named)
        if form == "onnx":
            return sum(file.stat().st_size for file in read_onnx(path).files)
        if form == "huggingface":
            return sum(file.stat().st_size for file in weight_files(path))
        return path.stat().st_size if form in ("skops", "safetensors") else 0

    def _stage(self) -> StageFolder | None:
        """Return the folder of the stage that is named, if a stage is."""
        whole, (run, colon, stage) = Path(self.named), self.named.rpartition(":")
        if "\0" in self.named:
            return None
        if (whole / "run.json").is_file():
            return stage_folder(whole, "")
        if colon and (Path(run) / "run.json").is_file():
            return stage_folder(Path(run), stage)
        return None


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(p for p in path.rglob("*") if p.is_file())
    return list(read_onnx(path).files) if path.suffix.lower() == ".onnx" else [path]


def stage_folder(run: Path, stage: str) -> StageFolder:
    """Return the folder of a stage of a run; of the last one if it has no name.

    Raises:
        BadInput: The run has no such stage.
    """
    told = read_run(run)
    found = told.asked_for(stage)
    return RunFolder(run).stage(told.stages.index(found), found.name)
