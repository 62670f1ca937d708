"""Turn the federated step of a recipe into a folder with which Flower carries it out between machines."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from torch import Generator

from fivefold.cli.bars import shown
from fivefold.cli.before import Begun, Seeing, before
from fivefold.cli.voice import Voice
from fivefold.core.codec import LARGEST, decode, encode
from fivefold.core.errors import BadInput, BadRecipe
from fivefold.models import TorchModel
from fivefold.privacy import Federated
from fivefold.privacy.federated.flower import Deployment, Terms, share_out, write_deployment
from fivefold.privacy.federated.flower.deployment import check_deployable
from fivefold.privacy.federated.partition import Dirichlet, Equal
from fivefold.recipe import Planned, Recipe, Stage, read_recipe
from fivefold.recipe.key import seed_of


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is asked for on the command line.

    Attributes:
        clients: Names of all clients, in order.
        step: Name of the federated step; "" if the recipe has one alone.
        host: Address at which the server listens.
        port: Port at which the server listens.
        is_trial: Whether the recipe's own training rows are shared out to the clients.
    """

    clients: tuple[str, ...]
    step: str
    host: str
    port: int
    is_trial: bool


def federate(path: Path, out: Path, wanted: Wanted, workdir: Path, voice: Voice) -> None:
    """Write the folder of a federation, and say what to do next.

    Raises:
        BadInput: The recipe has no such step, or there is something in `out`.
        BadRecipe: What the run says of itself would not be true, or a plug-in is needed.
    """
    recipe = read_recipe(path)
    planned, step = federated(recipe, path, wanted.step)
    _check_free(out, is_trial=wanted.is_trial)
    seed = seed_of(recipe.seed, planned.name)
    deployment = Deployment(step=step, terms=_terms(wanted, seed))
    with TemporaryDirectory() as place, shown(voice):
        begun = before(recipe, planned, workdir, Path(place), _checked(deployment, voice))
        _check_no_plugin(step, begun.model)
        rows, made = _own_files(wanted.clients, begun.model), dict[str, Path]()
        if wanted.is_trial:
            made = shared(step, begun, Path(place), wanted.clients, seed)
            rows = {name: f"clients/{name}{file.suffix}" for name, file in made.items()}
        write_deployment(deployment, begun.model, out, rows=rows, language=voice.language)
        _put(made, out / "clients")
    voice.give({"folder": str(out), "step": planned.name, "clients": rows})
    _tell(recipe, planned, begun.model, wanted, voice)
    _tell_next(out, rows, wanted, voice)


def federated(recipe: Recipe, path: Path, name: str) -> tuple[Planned, Federated]:
    """Return the federated step called `name`, or the only one.

    Raises:
        BadInput: There is none, or several and no name.
    """
    found = [(p, p.step) for p in recipe.steps if isinstance(p.step, Federated)]
    known = ", ".join(p.name for p, _ in found)
    if not found:
        raise BadInput(
            "The recipe has no federated step.",
            where=str(path),
            mend="Add one: {example}.",
            example='[[steps]] use = "privacy.Federated"',
        )
    if not name and len(found) > 1:
        raise BadInput(
            "The recipe has several federated steps.",
            where=str(path),
            mend="Name one with --step: {known}.",
            known=known,
        )
    chosen = [pair for pair in found if name in ("", pair[0].name)]
    if not chosen:
        raise BadInput(
            "The recipe has no federated step called {name}.",
            where="--step",
            mend="It has: {known}.",
            name=name,
            known=known,
        )
    return chosen[0]


def shared(
    step: Federated, begun: Begun, place: Path, names: tuple[str, ...], seed: int
) -> dict[str, Path]:
    """Return a file of training rows for each client, shared out as in the recipe's own simulation.

    A partition that makes any number of clients makes as many as have names.

    Raises:
        BadInput: Rows go to more clients or fewer.
    """
    partition = step.clients
    if isinstance(partition, Dirichlet | Equal):
        partition = replace(partition, n_clients=len(names))
    rng, train = Generator().manual_seed(seed), begun.data.splits.seen.train
    files = share_out(replace(step, clients=partition), begun.model, train, place, rng)
    if len(files) != len(names):
        raise BadInput(
            "The partition of the step shares the training rows out to {found} clients, and {named} are named.",
            where="--clients",
            mend="Name as many, or choose another partition, such as privacy.federated.Equal.",
            found=len(files),
            named=len(names),
        )
    return {name: place / file for name, file in zip(names, files.values(), strict=True)}


def _terms(wanted: Wanted, seed: int) -> Terms:
    small = seed % LARGEST  # a larger number could not be read from the plan
    return Terms(clients=wanted.clients, seed=small, host=wanted.host, port=wanted.port)


def _checked(deployment: Deployment, voice: Voice) -> Seeing:
    """Return what is done with each stage: what could not be deployed is refused at the first that shows it."""

    def see(i: int, total: int, stage: Stage, model: TorchModel) -> None:
        voice.say(
            "{i}/{total} {stage}: unchanged" if stage.was_cached
            else "{i}/{total} {stage}: carried out",
            i=i, total=total, stage=stage.name,
        )  # fmt: skip
        check_deployable(deployment, model)

    return see


def _check_no_plugin(step: Federated, model: TorchModel) -> None:
    """Check that server and clients, which import no plug-ins, can read what they are sent."""
    try:
        decode(encode(step), Federated)
        decode(encode(model.architecture), object)
    except BadRecipe as error:
        raise BadRecipe(
            "The machines of a federation import no plug-ins, and {step} or the model before it needs one.",
            where="plugins",
            mend="Build both from what fivefold itself has.",
            step=type(step).__name__,
        ) from error


def _check_free(out: Path, *, is_trial: bool) -> None:
    """Refuse before hours of work, not after, and overwrite nothing."""
    names = ("app", "start", "README.md", "make_keys.py", *(("clients",) if is_trial else ()))
    for name in names:
        if (out / name).exists():
            raise BadInput(
                "There is something here already.",
                where=str(out / name),
                mend="Move it away, or choose another folder.",
            )


def _put(files: Mapping[str, Path], folder: Path) -> None:
    """Move the file of each client into `folder`, under the client's name."""
    if files:
        folder.mkdir()
    for name, file in files.items():
        shutil.move(file, folder / f"{name}{file.suffix}")


def _own_files(names: tuple[str, ...], model: TorchModel) -> dict[str, str]:
    suffix = ".csv" if model.schema.columns else ".npz"
    return {name: f"clients/{name}{suffix}" for name in names}


def _tell(
    recipe: Recipe, planned: Planned, model: TorchModel, wanted: Wanted, voice: Voice
) -> None:
    """Say what the federation has not of the recipe, and has of its rows."""
    comma = {"en": ", ", "zh": "、"}[voice.language]
    if later := _later(recipe, planned):
        voice.say("Not part of the federation, since they come after it: {names}.", names=comma.join(later))  # fmt: skip
    if plain := [r.name for r in model.lineage if r.claim.reads_data and not r.claim.privacy]:
        voice.say(
            "Every client is sent a model that has read the recipe's own rows without privacy, in: {names}.",
            names=comma.join(plain),
        )
    if wanted.is_trial:
        voice.say(
            "The files of the clients hold the recipe's own training rows: this is a trial, which keeps nothing apart."
        )


def _later(recipe: Recipe, planned: Planned) -> list[str]:
    """Return the names of the steps that start from `planned`, or from one that does."""
    found = [planned.name]
    for one in recipe.steps:
        if one.after in found:
            found.append(one.name)
    return found[1:]


def _tell_next(out: Path, rows: Mapping[str, str], wanted: Wanted, voice: Voice) -> None:
    voice.say("The federation of {n} clients is in {path}.", n=len(rows), path=str(out))
    if not wanted.is_trial:
        voice.say(
            "Next: each client puts its own rows into a file on its own machine; for a trial on one machine these are {files}.",
            files=", ".join(rows.values()),
        )
    voice.say("Next: {readme} has the commands, in order.", readme=str(out / "README.md"))
