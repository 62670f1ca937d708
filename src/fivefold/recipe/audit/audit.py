"""Measure a model that exists already, on all promises, without training anything."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

from fivefold.core.codec import encode
from fivefold.core.cost import Cost
from fivefold.core.data import Dataset
from fivefold.core.errors import BadInput, FivefoldError, LimitReached
from fivefold.core.fingerprint import of_batch
from fivefold.core.limits import Positive
from fivefold.core.model import Model
from fivefold.recipe.audit.asking import Asking
from fivefold.recipe.audit.baseline import baseline, check_shared
from fivefold.recipe.audit.chosen import Asked, Known, axes_of, chosen
from fivefold.recipe.audit.given import Given
from fivefold.recipe.audit.said import distance, of_members, whole_numbers
from fivefold.recipe.audit.subject import Subject
from fivefold.recipe.audit.watch import Spent, Watch, watched
from fivefold.recipe.environment import environment
from fivefold.recipe.folder import Measured, RunFolder
from fivefold.recipe.key import key_of
from fivefold.recipe.measure import total
from fivefold.recipe.presets import Preset
from fivefold.recipe.recipe import is_name
from fivefold.recipe.run import alone, data_card, log, now
from fivefold.recipe.stage import Run, Stage
from fivefold.recipe.tomlfile import read_toml

AUDITED = "audited"
FIRST_LOOK = 8  # inputs that a model must answer before anything is measured
FOR_THE_PAGE, MOST_FOR_THE_PAGE = 0.1, 0.25  # shares of the budget kept for writing the report
LEAST_FOR_PROBES = 0.5  # share of the budget that probes have, however long opening took


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How an audit is done.

    Attributes:
        axes: Names of the axes to measure; all if there is none.
        preset: Which set of probes is asked.
        budget_seconds: Time for everything, the report included; None is no limit.
        baseline: A run, or RUN:STAGE, to show the model beside.
        policy: Limits for the gate, as a table.
        members: Whether the training split of the data is what the model was trained on.
        seed: Decides everything random.
    """

    axes: tuple[str, ...] = ()
    preset: Preset = "quick"
    budget_seconds: Positive | None = None
    baseline: str = ""
    policy: Mapping[str, Any] = field(default_factory=dict[str, Any])
    members: bool = False
    seed: int = 0


class Opened(NamedTuple):
    """A model with its data, and what the run says of where it came from."""

    known: Known
    label: str
    about: Mapping[str, Any]


def audit(
    model: str | Subject | Model,
    data: Given | Dataset,
    plan: Plan = Plan(),
    *,
    workdir: Path = Path("runs"),
    name: str = "",
    watch: Watch | None = None,
) -> Run:
    """Return a run whose last stage is the model as it is, measured without training it; the baseline is before it.

    Args:
        model: A model, or what names one: a file, a folder, `module:function`, an address, RUN:STAGE.
        data: Where its examples are.
        plan: What is measured, in which time.
        workdir: Folder of the run folders.
        name: Name of the run; by default made from that of the model.
        watch: The clock; started now by default.

    Raises:
        BadInput: Model and data do not fit, or the run to compare with measured other data.
        LimitReached: The model does not answer in time, or another process works on the same run.
    """
    watch = watch or Watch()
    axes = axes_of(plan.axes)
    opened = _opened_in_time(model, data, plan, watch)
    before = baseline(plan.baseline, opened.known.data) if plan.baseline else None
    folder = RunFolder(workdir / _name(name, opened.label))
    workdir.mkdir(parents=True, exist_ok=True)
    with alone(workdir / f".{folder.path.name}.lock"):
        _check_free(folder)
        with watched(opened.known.model, watch) as seen:
            asking = Asking(
                model=seen,
                data=opened.known.data,
                seed=plan.seed,
                watch=watch,
                budget=plan.budget_seconds or inf,
                end=_end(plan.budget_seconds, watch.elapsed),
                complain=lambda line: log(folder, line),
            )
            _first_look(asking)
            asked = chosen(opened.known, plan.preset, axes)
            recipe = _recipe(folder.path.name, plan, opened, asked)
            folder.start(recipe)
            keep = folder.stage(int(before is not None), AUDITED).keep_measured
            found = asking.all(asked, keep)
        return _kept(folder, recipe, opened, (asking, found), before)


def _opened_in_time(
    model: str | Subject | Model, data: Given | Dataset, plan: Plan, watch: Watch
) -> Opened:
    """Open model and data; a server that lets one wait does so on the budget.

    Raises:
        LimitReached: The budget was spent before the model was open.
    """
    budget = plan.budget_seconds or inf
    named = model.named if isinstance(model, Subject) else model
    is_far = isinstance(named, str) and "://" in named
    room = max(budget - watch.elapsed, LEAST_FOR_PROBES * budget) if is_far else inf
    try:
        with watch.allowing(room):
            return _opened(model, data, plan)
    except Spent as error:
        raise LimitReached(
            "The model could not be opened within the budget of {budget} s.",
            mend="Give it more time with --budget-seconds, or check that it answers at all.",
            budget=f"{budget:g}",
        ) from error


def _opened(model: str | Subject | Model, data: Given | Dataset, plan: Plan) -> Opened:
    subject = Subject(named=model) if isinstance(model, str) else model
    own = subject.own() if isinstance(subject, Subject) else subject
    like = own if isinstance(subject, Subject) else None
    found = data.load(like) if isinstance(data, Given) else data
    opened = own if own is not None else _open(subject, found)
    is_named = isinstance(data, Given) and data.train is not None
    members = plan.members or is_named or _remembers(opened, found)
    notes = (of_members(found, members), *whole_numbers(found.schema), *distance(opened))
    found = found._replace(notes=(*found.notes, *notes))
    size, label = 0, type(subject).__name__
    if isinstance(subject, Subject):
        size, label = 0 if own is not None else subject.stored_bytes(), subject.label
    return Opened(Known(opened, found, members, size), label, _about(subject, data, opened))


def _open(subject: Subject | Model, data: Dataset) -> Model:
    return subject.open(data) if isinstance(subject, Subject) else subject


def _remembers(model: Model, data: Dataset) -> bool:
    """Return whether the model's own history names the training split."""
    mark = of_batch(data.splits.seen.train)
    return any(record.data == mark for record in model.lineage)


def _about(subject: Subject | Model, data: Given | Dataset, opened: Model) -> dict[str, Any]:
    told: dict[str, Any] = {"kind": type(opened).__name__}
    if isinstance(subject, Subject):
        told |= {"model": subject.named.partition("?")[0], "sha256": subject.content_hash()}
        told |= {"factory": subject.factory, "answers": subject.answers}
    if isinstance(data, Given):
        shown = {k: str(v) for k, v in vars(data).items() if k in ("data", "train") and v}
        told |= shown | {"target": data.target, "text": data.text, "drop": list(data.drop)}
    return {k: v for k, v in told.items() if v not in ("", [], None)}


def _recipe(name: str, plan: Plan, opened: Opened, asked: list[Asked]) -> dict[str, Any]:
    """Return what was done as a table; a run shows it, and nothing carries it out again."""
    probes = [encode(p) for p in asked if not isinstance(p, tuple)]
    about = dict(opened.about) | {"preset": plan.preset, "axes": list(plan.axes)}
    if plan.budget_seconds:
        about["budget_seconds"] = plan.budget_seconds
    if plan.baseline:
        about["baseline"] = plan.baseline
    return {
        "name": name,
        "seed": plan.seed,
        "plugins": [],
        "preset": "none",
        "audit": about,
        "steps": [],
        "probes": probes,
        "policy": dict(plan.policy),
    }


def _first_look(asking: Asking) -> None:
    """Ask the model for a few answers, so that one which cannot answer is refused at once.

    Raises:
        BadInput: It fails, or its answers cannot be used.
        LimitReached: It does not answer in time.
    """
    rows = asking.data.splits.test.take(slice(0, FIRST_LOOK))
    try:
        with asking.watch.allowing(asking.left):
            asking.model.predict(rows.x)
    except Spent as error:
        raise LimitReached(
            "The model did not answer {n} inputs within the budget of {budget} s.",
            mend="Give it more time with --budget-seconds, or check that it answers at all.",
            n=rows.size,
            budget=f"{asking.budget:g}",
        ) from error
    except FivefoldError:
        raise
    except Exception as error:  # whatever a stranger's model may raise
        raise BadInput(
            "The model fails with {kind}: {problem}.",
            mend="Ask it about the first rows of the data by hand.",
            kind=type(error).__name__,
            problem=str(error).strip().partition("\n")[0][:200],
        ) from error


def _kept(
    folder: RunFolder,
    recipe: dict[str, Any],
    opened: Opened,
    answered: tuple[Asking, tuple[Measured, ...]],
    before: Stage | None,
) -> Run:
    asking, found = answered
    stage = Stage(
        name=AUDITED,
        parent=before.name if before else "",
        step={},
        lineage=opened.known.model.lineage,
        findings=tuple(f for m in found for f in m.findings),
        changes=(),
        cost=Cost(),
        probe_cost=total(found),
        key=key_of(audit=recipe["audit"], data=opened.known.data.fingerprint),
    )
    if before:
        check_shared(before, stage)
    data = opened.known.data._replace(notes=(*opened.known.data.notes, *asking.notes))
    made = Run(
        name=folder.path.name,
        folder=folder.path,
        recipe=recipe,
        stages=(before, stage) if before else (stage,),
        data=data_card(data),
        environment=environment() | _counted(asking),
        created=now(),
    )
    folder.keep_run(made)
    return made


def _counted(asking: Asking) -> dict[str, str]:
    watch = asking.watch
    return {
        "model queries": f"{watch.inputs:,} inputs in {watch.calls:,} calls",
        "audit": f"{watch.elapsed:.1f} s"
        + (f", budget {asking.budget:g} s" if asking.budget < inf else ""),
    }


def _end(budget: float | None, elapsed: float) -> float:
    """Return when the last probe must stop: time for the page is kept, and opening may not take it all.

    Opening and writing the page are about as much work, so `elapsed` tells how busy the machine is.
    """
    if budget is None:
        return inf
    page = min(max(FOR_THE_PAGE * budget, elapsed), MOST_FOR_THE_PAGE * budget)
    return max(budget - page, elapsed + LEAST_FOR_PROBES * budget)


def _name(given: str, label: str) -> str:
    if not given:
        return f"audit-{re.sub(r'[^0-9A-Za-z_-]+', '-', label).strip('-')[:50] or 'model'}"
    if not is_name(given):
        raise BadInput(
            "{value} cannot be a name.",
            where="--name",
            mend="Use 1 to 60 letters, digits, - and _, beginning with no -; CON, NUL and the like are taken.",
            value=repr(given)[:80],
        )
    return given


def _check_free(folder: RunFolder) -> None:
    """Refuse to write over a run that is no audit: it may have taken days.

    Raises:
        BadInput: There is one.
    """
    file = folder.path / "recipe.toml"
    if file.is_file() and "audit" not in read_toml(file).table:
        raise BadInput(
            "This folder holds a run that is no audit.",
            where=str(folder.path),
            mend="Give the audit another name with --name.",
        )
