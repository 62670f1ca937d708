"""What ships: a model with its recipe, its history, the evidence about it, and a seal over all of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from fivefold.core.errors import BadInput, Damaged
from fivefold.core.jsonfile import from_json, to_json
from fivefold.core.text import Text, text
from fivefold.deploy.place import placed
from fivefold.deploy.seal import check_seal, seal
from fivefold.models.save import load_model, save_model
from fivefold.models.torch import TorchModel
from fivefold.recipe.stage import DataCard, Run, Stage
from fivefold.security.folder import check_folder
from fivefold.security.formats import Format, Limits
from fivefold.security.sign import short_name

ALLOWED: tuple[Format, ...] = ("safetensors", "json", "toml", "text")
MOST = Limits(files=40)
ABOUT = "bundle.json"
NOTHING: Mapping[str, str | bytes] = {}
NEEDED = ("model.safetensors", "model.json", "recipe.toml", "lineage.json", "evidence.json", ABOUT)


@dataclass(frozen=True, kw_only=True)
class About:
    """Where a bundle comes from.

    Attributes:
        run: Name of the run.
        stage: Name of the stage that ships.
        created: When the run ended, ISO 8601, UTC.
        environment: Versions, threads and machine, by name.
        data: What the data were; none of them.
    """

    run: str
    stage: str
    created: str
    environment: Mapping[str, str]
    data: DataCard


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A verified bundle.

    Attributes:
        folder: Where it is.
        about: Where it comes from.
        files: Size of each file in bytes, by name.
        signer: Public key that signed it, raw in hexadecimal; "" if nobody did.
        is_trusted: Whether the caller named the key and it is the one that signed.
    """

    folder: Path
    about: About
    files: Mapping[str, int]
    signer: str
    is_trusted: bool

    @property
    def stage(self) -> str:
        """Name of the stage that ships."""
        return self.about.stage

    @property
    def is_signed(self) -> bool:
        """Whether somebody signed it; `is_trusted` says whether it was the right one."""
        return bool(self.signer)

    @property
    def status(self) -> Text:
        """What was shown, and what was not."""
        if self.is_trusted:
            return text("Intact, signed with the given key {key}.", key=short_name(self.signer))
        if self.signer:
            return text(
                "Intact, signed with key {key}; nobody has checked whose key that is.",
                key=short_name(self.signer),
            )
        return text("Intact, unsigned: anybody may have written it.")


def write_bundle(  # noqa: PLR0913  what ships is this many things; a wrapper would only rename them
    run: Run,
    stage_name: str,
    model: TorchModel,
    folder: Path,
    *,
    key: Path | None = None,
    card: str = "",
    verdict: Mapping[str, Any] | None = None,
    papers: Mapping[str, str | bytes] = NOTHING,
    overwrite: bool = False,
) -> Bundle:
    """Write the bundle of one stage: all of it or nothing.

    Args:
        run: The run that made the model.
        stage_name: Which stage ships.
        model: Its model.
        folder: Where the bundle goes.
        key: File with the private key to sign with.
        card: Model card in Markdown.
        verdict: What the policy said.
        papers: Further files by name: a fitted detector (`guard_papers`), a reference for monitoring.
        overwrite: Whether an older bundle in `folder` may be replaced.

    Raises:
        BadInput: `folder` is taken, or `model` is not the one of that stage.
    """
    stage = _stage(run, stage_name, model)
    own: dict[str, str | bytes] = {**papers, **_papers(run, stage)}
    if card:
        own["MODEL_CARD.md"] = card
    if verdict is not None:
        own["policy.json"] = to_json(verdict)
    with placed(folder, overwrite=overwrite) as part:
        save_model(model, part)
        for name, content in own.items():
            told = content.encode() if isinstance(content, str) else content
            (part / name).write_bytes(told)
        seal(part, check_folder(part, ALLOWED, limits=MOST), key)
    return _verified(folder, None)


def verify_bundle(folder: Path, public_key: Path | None = None) -> Bundle:
    """Check every byte of a bundle; nothing in it is loaded or run.

    Args:
        folder: The bundle.
        public_key: File with the public key that must have signed it. Without one, a bundle that
            somebody else has rewritten as a whole passes as intact.

    Raises:
        BadInput: There is no such folder or key.
        Damaged: A byte was changed, a file added, renamed or lost, a link, a format that may run code,
            or the key is not the one that signed; names the file.
    """
    return _verified(folder, public_key)


def load_bundle(
    folder: Path, public_key: Path | None = None, *, plugins: tuple[str, ...] = ()
) -> tuple[TorchModel, Bundle]:
    """Return the model of a bundle once `verify_bundle` has passed.

    Nobody else may be able to write to `folder`: a file changed after the check is not noticed.

    Args:
        folder: The bundle.
        public_key: File with the public key that must have signed it.
        plugins: Packages outside this one that may be imported for the architecture.

    Raises:
        BadInput: There is no such folder or key.
        Damaged: See `verify_bundle`.
    """
    bundle = _verified(folder, public_key)
    return load_model(folder, plugins=plugins), bundle


def _verified(folder: Path, public_key: Path | None) -> Bundle:
    files = check_folder(folder, ALLOWED, limits=MOST)
    signer = check_seal(folder, files, public_key)
    sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}
    for name in NEEDED:
        if name not in sizes:
            raise Damaged(
                "{name} is missing.",
                where=name,
                mend="Get the folder again from its source.",
                name=name,
            )
    about = from_json((folder / ABOUT).read_text(encoding="utf-8"), About, where=ABOUT)
    return Bundle(
        folder=folder,
        about=about,
        files=sizes,
        signer=signer,
        is_trusted=public_key is not None,
    )


def _stage(run: Run, name: str, model: TorchModel) -> Stage:
    known = [stage.name for stage in run.stages]
    if name not in known:
        raise BadInput(
            "The run has no stage {stage}.",
            mend="Its stages are: {known}.",
            stage=name,
            known=", ".join(known),
        )
    stage = run.stage(name)
    if to_json(model.lineage) != to_json(stage.lineage):
        raise BadInput(
            "This model has not the history of stage {stage}, so its evidence does not speak of it.",
            mend="Give the model that the run saved for that stage.",
            stage=name,
        )
    return stage


def _papers(run: Run, stage: Stage) -> dict[str, str]:
    about = About(
        run=run.name,
        stage=stage.name,
        created=run.created,
        environment=run.environment,
        data=run.data,
    )
    return {
        ABOUT: to_json(about),
        "recipe.toml": tomli_w.dumps(run.recipe),
        "lineage.json": to_json(stage.lineage),
        "evidence.json": to_json({"findings": stage.findings, "changes": stage.changes}),
    }
