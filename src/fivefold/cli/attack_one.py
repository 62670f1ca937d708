"""Attack rows of a data file: robust accuracy with its interval, the examples that fool, and a picture."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
from torch import Generator, Tensor

from fivefold.cli.access import check_bundle
from fivefold.cli.attack_picture import figure
from fivefold.cli.attack_rows import as_can_be, save_rows
from fivefold.cli.audit import from_here
from fivefold.cli.bars import shown
from fivefold.cli.explain_picture import saved
from fivefold.cli.voice import Voice
from fivefold.core.atomic import write_atomic
from fivefold.core.data import Batch, as_tensor
from fivefold.core.errors import BadInput, NotMeasurable
from fivefold.core.interval import wilson
from fivefold.core.model import HasNet, Model
from fivefold.core.randomness import fresh_seed
from fivefold.models.torch import device_of
from fivefold.perturb import Attacked, Norm, attack, ball_around, random_search
from fivefold.recipe.audit import Given, Subject

Method: TypeAlias = Literal["auto", "pgd", "query"]
METHODS = ("auto", "pgd", "query")
NORMS = ("linf", "l2")
PICTURES = (".png", ".svg")


@dataclass(frozen=True, kw_only=True)
class How:
    """How an attack is made.

    Attributes:
        eps: How far an input may move, in units of the schema.
        norm: Which length `eps` bounds.
        method: With gradients (pgd), by asking (query), or whichever the model allows.
        steps: Gradient steps.
        queries: Answers asked for per row.
        rows: Most rows to attack.
    """

    eps: float = 0.1
    norm: str = "linf"
    method: str = "auto"
    steps: int = 40
    queries: int = 500
    rows: int = 200

    def __post_init__(self) -> None:
        _known(self.method, METHODS, "--method")
        _known(self.norm, NORMS, "--norm")
        if not 0 < self.eps < float("inf"):
            raise BadInput(
                "An attack needs an eps above 0, not {eps}.",
                where="--eps",
                mend="Give how far an input may move, such as 0.1.",
                eps=self.eps,
            )


@dataclass(frozen=True, kw_only=True)
class Done:
    """What an attack did to some rows.

    Attributes:
        before: The rows as they were, with the true classes.
        possible: The rows as the attack left them, with whole numbers where there are only such.
        is_right: Where the model was right before.
        is_fooled: Where it was right before and the attack found something, fractions included.
        is_possible: Where `possible` fools it too.
        answers: Predicted class of each row: before, and of `possible`.
        method: Which attack it was.
        evaluations: How many inputs the model answered.
    """

    before: Batch
    possible: Tensor
    is_right: Tensor
    is_fooled: Tensor
    is_possible: Tensor
    answers: tuple[Tensor, Tensor]
    method: str
    evaluations: int


def verb(
    subject: Subject,
    given: Given,
    how: How,
    files: tuple[Path | None, Path | None],
    voice: Voice,
) -> None:
    """Attack, tell what fell, save the examples to `files[0]` and the picture to `files[1]`."""
    from_here()
    check_bundle(subject.named)
    picture = files[1]
    if picture and picture.suffix.lower() not in PICTURES:
        raise BadInput(
            "A picture cannot be written as {ending}.",
            where="--picture",
            mend="There are: {known}.",
            ending=picture.suffix or "-",
            known=", ".join(PICTURES),
        )
    own = subject.own()
    data = given.load(own)
    model = own if own is not None else subject.open(data)
    rng = Generator().manual_seed(given.seed)
    order = torch.randperm(data.splits.test.size, generator=rng)[: how.rows].sort().values
    with shown(voice):
        done = attacked(model, data.splits.test.take(order), how, fresh_seed(rng))
    written = _write(done, model, files, voice)
    voice.give(as_json(done, how) | written)
    _say(done, how, model, written, voice)


def attacked(model: Model, batch: Batch, how: How, seed: int) -> Done:
    """Return what the attack did; only rows that the model gets right are attacked.

    Raises:
        NotMeasurable: The task has no classes, or gradients are asked of a model that has none.
    """
    if not model.task.is_classification:
        raise NotMeasurable(
            "An attack on {target} neither fools nor fails to: it is a number.",
            mend="Use a classification task.",
            target=model.task.target,
        )
    x = as_tensor(batch.x)
    first = model.predict(x).argmax(1)
    is_right = first == batch.y
    rows = is_right.nonzero()[:, 0]
    method = _method(model, how)
    found = _found(model, batch.take(rows), how, method, seed)
    after = x.clone()
    after[rows] = found.x.cpu()
    is_fooled = torch.zeros_like(is_right).index_put((rows,), found.is_fooled.cpu())
    possible = as_can_be(model.schema, x, after)
    last = model.predict(possible).argmax(1)
    return Done(
        before=batch,
        possible=possible,
        is_right=is_right,
        is_fooled=is_fooled,
        is_possible=is_fooled & (last != batch.y),
        answers=(first, last),
        method=method,
        evaluations=found.evaluations + 2 * batch.size,
    )


def _method(model: Model, how: How) -> str:
    if how.method == "auto":
        return "pgd" if isinstance(model, HasNet) else "query"
    if how.method == "pgd" and not isinstance(model, HasNet):
        raise NotMeasurable(
            "The attack pgd needs gradients, and this model only answers.",
            mend="Use --method query.",
        )
    return how.method


def _found(model: Model, batch: Batch, how: How, method: str, seed: int) -> Attacked:
    norm: Norm = "l2" if how.norm == "l2" else "linf"
    if method == "pgd" and isinstance(model, HasNet):
        batch = batch.to(device_of(model.net))
        ball = ball_around(as_tensor(batch.x), model.schema.space(), how.eps, norm)
        return attack(model.net, batch.y, ball, steps=how.steps, seed=seed)
    ball = ball_around(as_tensor(batch.x), model.schema.space(), how.eps, norm)
    return random_search(model.predict, batch.y, ball, queries=how.queries, seed=seed)


def as_json(done: Done, how: How) -> dict[str, Any]:
    """Return the numbers as plain data."""
    n, right = done.before.size, int(done.is_right.sum())
    left = right - int(done.is_fooled.sum())
    low, high = wilson(left, n)
    return {
        "rows": n,
        "clean_accuracy": right / n,
        "robust_accuracy": {"value": left / n, "low": low, "high": high},
        "fooled": right - left,
        "fooled_with_whole_numbers": int(done.is_possible.sum()),
        "eps": how.eps,
        "norm": how.norm,
        "method": done.method,
        "evaluations": done.evaluations,
    }


def _write(
    done: Done, model: Model, files: tuple[Path | None, Path | None], voice: Voice
) -> dict[str, str]:
    """Write the examples and the picture; return the paths that were written."""
    (save, picture), written = files, dict[str, str]()
    if save:
        save_rows(done, model, save)
        written["saved"] = str(save)
    if picture is None and save is not None:
        picture = save.with_suffix(".png")
    if picture and bool(done.is_possible.any()):
        drawn = saved(
            lambda: figure(done, model, voice.language), picture.suffix.lower().lstrip(".")
        )
        write_atomic(picture, drawn)
        written["picture"] = str(picture)
    return written


def _say(done: Done, how: How, model: Model, written: dict[str, str], voice: Voice) -> None:
    found = as_json(done, how)
    robust = found["robust_accuracy"]
    if not voice.is_json:
        voice.console().print(
            f"{found['clean_accuracy']:.3f} → {robust['value']:.3f} [{robust['low']:.3f}, {robust['high']:.3f}]",
            highlight=False,
        )
    voice.say(
        "Of {n} rows {right} are answered rightly; {fooled} of these were fooled within {norm} eps {eps}. Robust accuracy: {value} [{low}, {high}], 95 %.",
        n=found["rows"],
        right=int(done.is_right.sum()),
        fooled=found["fooled"],
        norm=how.norm,
        eps=how.eps,
        value=f"{robust['value']:.3f}",
        low=f"{robust['low']:.3f}",
        high=f"{robust['high']:.3f}",
    )
    n_lost = int((done.is_fooled & ~done.is_possible).sum())
    if n_lost:
        voice.say(
            "{n} of them are fooled only by fractions in columns of whole numbers ({columns}); such rows cannot occur and are not saved.",
            n=n_lost,
            columns=", ".join(c.name for c in model.schema.columns if c.kind == "integer"),
        )
    _say_method(done, model, voice)
    if "saved" in written:
        voice.say("The rows that fool it: {path}", path=written["saved"])
    if "picture" in written:
        voice.say("Picture: {path}", path=written["picture"])


def _say_method(done: Done, model: Model, voice: Voice) -> None:
    if done.method == "pgd":
        voice.say(
            "Method: gradient steps on cross-entropy and on each likely wrong class; {n} evaluations. An upper bound: what resisted may fall to a stronger attack.",
            n=done.evaluations,
        )
    else:
        voice.say(
            "Method: random changes kept if the answer gets worse, as a {model} is only asked; {n} answers. An upper bound: an attacker with the network breaks more.",
            model=type(model).__name__,
            n=done.evaluations,
        )


def _known(name: str, known: tuple[str, ...], where: str) -> None:
    if name not in known:
        raise BadInput(
            "There is no {name} here.",
            where=where,
            mend="There are: {known}.",
            name=name,
            known=", ".join(known),
        )
