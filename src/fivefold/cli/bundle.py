"""Pack a stage for shipping, and check what was packed."""

from pathlib import Path

from torch import Generator

from fivefold.cli.voice import Voice
from fivefold.core.data import Splits
from fivefold.core.errors import BadInput, FivefoldError
from fivefold.deploy import Bundle, guard_findings, guard_papers, verify_bundle, write_bundle
from fivefold.deploy.watch import REFERENCE, reference_paper
from fivefold.models import TorchModel, load_model
from fivefold.recipe import Run, read_run, recipe_from
from fivefold.recipe.key import seed_of
from fivefold.report import judge, model_card, policy_from
from fivefold.security import make_keys


def bundle(
    folder: Path, out: Path | None, stage: str, key: Path | None, overwrite: bool, voice: Voice
) -> None:
    """Write the bundle of one stage; a private key that does not exist is made."""
    run = read_run(folder)
    name = run.asked_for(stage).name
    made = pack(run, name, out or folder / f"{run.name}-{name}.bundle", key, overwrite, voice)
    voice.give(_told(made))


def pack(
    run: Run, stage: str, out: Path, key: Path | None, overwrite: bool, voice: Voice
) -> Bundle:
    """Write a bundle and say what it is."""
    if key and not key.exists():
        public = make_keys(key)
        voice.say(
            "Made a key pair: keep {private} secret, give {public} away.",
            private=str(key),
            public=str(public),
        )
    index = [s.name for s in run.stages].index(stage)
    plugins = tuple(run.recipe["plugins"])
    model = load_model(run.folder / "stages" / f"{index:02d}-{stage}", plugins=plugins)
    verdict = judge(run, policy_from(run.recipe["policy"])) if run.recipe["policy"] else None
    made = write_bundle(
        run, stage, model, out, key=key, card=model_card(run, verdict, stage=stage),
        verdict=verdict.to_dict() if verdict else None, papers=_papers(run, stage, model, voice),
        overwrite=overwrite,
    )  # fmt: skip
    voice.say("Bundle: {path}", path=str(out))
    return made


def _papers(run: Run, stage: str, model: TorchModel, voice: Voice) -> dict[str, str | bytes]:
    """Return what a server needs besides the model: a detector, and what ordinary inputs look like."""
    splits = _splits(run)
    if splits is None:
        voice.say(
            "The data of the run are not at hand: no detector and no reference in the bundle."
        )
        return {REFERENCE: reference_paper(model, None)}
    rng = Generator().manual_seed(seed_of(recipe_from(run.recipe).seed, f"guard of {stage}"))
    seen, found = splits.seen, guard_findings(model, splits, rng=rng)
    detector = guard_papers(model, seen, found)
    if not detector:
        voice.say("This model can have no detector: it shows no features, or claims privacy.")
    return {REFERENCE: reference_paper(model, seen), **detector}


def _splits(run: Run) -> Splits | None:
    """Return the data of a run, if they can be had again and are the same."""
    recipe = recipe_from(run.recipe)
    rng = Generator().manual_seed(seed_of(recipe.seed, "data"))
    try:
        data = recipe.data.load(run.folder, rng)
    except FivefoldError:
        return None
    return data.splits if data.fingerprint == run.data.fingerprint else None


def verify(folder: Path, key: Path | None, voice: Voice) -> None:
    """Check a bundle and put what may be believed of it on stdout."""
    voice.give(_told(check(folder, key, voice)))


def check(folder: Path, key: Path | None, voice: Voice) -> Bundle:
    """Check a bundle and say what may be believed of it."""
    if (folder / "run.json").is_file() and not (folder / "bundle.json").exists():
        raise BadInput(
            "This is the folder of a run, not of a bundle.",
            where=str(folder),
            mend='Pack a stage of it with "fivefold bundle", and verify that.',
        )
    found = verify_bundle(folder, public_key=key)
    if not found.is_signed:
        voice.say("Intact, but unsigned: anybody could have made it.")
    elif key is None:
        voice.say(
            "Intact and signed by {key}; give --key to demand a certain signer.", key=found.signer
        )
    else:
        voice.say("Intact, and signed by the given key.")
    return found


def _told(bundle: Bundle) -> dict[str, object]:
    return {
        "path": str(bundle.folder),
        "stage": bundle.stage,
        "signed": bundle.is_signed,
        "signer": bundle.signer,
    }
