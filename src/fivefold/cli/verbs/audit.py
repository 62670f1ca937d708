"""Verbs for models that exist already: measure one, explain one answer, attack some rows."""

from enum import StrEnum
from pathlib import Path
from time import monotonic
from typing import Annotated

import typer

from fivefold.cli.app import app
from fivefold.cli.options import Json, Lang, Language, Workdir
from fivefold.cli.voice import Voice


class PresetName(StrEnum):
    """Which set of probes is asked."""

    QUICK = "quick"
    FULL = "full"


class AnswersKind(StrEnum):
    """What a foreign model answers."""

    AUTO = "auto"
    PROBABILITIES = "probabilities"
    LOGITS = "logits"
    NUMBERS = "numbers"


class TaskName(StrEnum):
    """What is predicted."""

    AUTO = "auto"
    CLASSIFICATION = "classification"
    REGRESSION = "regression"


ModelName = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A skops, ONNX or safetensors file, a folder, module:function, an address, a run or RUN:STAGE.",
    ),
]
DataFile = Annotated[
    Path,
    typer.Option(
        help="Rows the model has not seen: CSV, TSV, JSONL, Parquet, .npz, a folder of images, or a recipe."
    ),
]
Target = Annotated[str, typer.Option(help="The column to predict.")]
TextColumn = Annotated[str, typer.Option(help="The column with the text to read.")]
TrainFile = Annotated[
    Path | None, typer.Option(help="The rows the model was trained on, in the same form.")
]
Factory = Annotated[
    str, typer.Option(help="module:function that builds the network of a safetensors file.")
]
Answers = Annotated[
    AnswersKind,
    typer.Option(
        metavar="KIND",
        show_default=False,
        help="What the model answers: auto, probabilities, logits or numbers.",
    ),
]
Trusted = Annotated[
    list[str] | None, typer.Option("--trust", help="A type or package in the file to trust.")
]
Classes = Annotated[
    str, typer.Option(help="Names of the classes in the order of the model's outputs: a,b,c.")
]
TaskOption = Annotated[
    TaskName,
    typer.Option(
        metavar="KIND",
        show_default=False,
        help="What is predicted: auto, classification or regression.",
    ),
]
Drop = Annotated[str, typer.Option(help="Columns that are no inputs: a,b.")]
Request = Annotated[
    str,
    typer.Option(
        help="What to send to an endpoint, or its file: JSON with $ROWS, $RECORDS or $ROW for the inputs."
    ),
]
Answer = Annotated[
    str, typer.Option(help="Where the answers stand in what comes back: outputs.0.probabilities.")
]
Header = Annotated[
    list[str] | None, typer.Option(help="Sent with every question to an endpoint: 'Name: value'.")
]
TokenFile = Annotated[
    Path | None, typer.Option(help="A file with the key of an endpoint, sent as a bearer token.")
]
Batch = Annotated[int, typer.Option(min=1, help="Inputs in one question to an endpoint.")]
Timeout = Annotated[
    float, typer.Option(min=0.001, help="Seconds that an endpoint has for one answer.")
]
Seed = Annotated[int, typer.Option(help="Decides everything random.")]


@app.command()
def audit(  # noqa: PLR0913  each is an option of the command line
    model: ModelName,
    data: DataFile,
    target: Target = "",
    text: TextColumn = "",
    train: TrainFile = None,
    factory: Factory = "",
    axes: Annotated[
        str, typer.Option(help="Axes to measure: privacy,security; all if not given.")
    ] = "",
    budget_seconds: Annotated[
        float | None, typer.Option(help="Time for everything; what does not fit is left out.")
    ] = None,
    preset: Annotated[
        PresetName, typer.Option(help="How thoroughly to measure.")
    ] = PresetName.QUICK,
    baseline: Annotated[
        str, typer.Option(help="A run or RUN:STAGE on the same data to show beside it.")
    ] = "",
    policy: Annotated[Path | None, typer.Option(help="A policy file for the gate.")] = None,
    workdir: Workdir = Path("runs"),
    name: Annotated[str, typer.Option(help="Name of the run folder.")] = "",
    answers: Answers = AnswersKind.AUTO,
    trust: Trusted = None,
    classes: Classes = "",
    task: TaskOption = TaskName.AUTO,
    drop: Drop = "",
    request: Request = "",
    answer: Answer = "",
    header: Header = None,
    token_file: TokenFile = None,
    batch: Batch = 64,
    timeout: Timeout = 30.0,
    seed: Seed = 0,
    json: Json = False,
    lang: Language = Lang.EN,
) -> None:
    """Measure a model that exists already, on all five axes, without training it."""
    started = monotonic()
    from fivefold.cli.access import access_of
    from fivefold.cli.audit import check_budget, policy_table, split_names, verb
    from fivefold.recipe.audit import Given, Plan, Subject

    check_budget(budget_seconds)
    verb(
        Subject(named=model, factory=factory, answers=answers.value, trusted=tuple(trust or ()), access=access_of((request, answer), header, token_file, batch, timeout)),
        Given(data=data, target=target, text=text, train=train, classes=split_names(classes), task=task.value, drop=split_names(drop), seed=seed),
        Plan(axes=split_names(axes), preset=preset.value, budget_seconds=budget_seconds, baseline=baseline, policy=policy_table(policy), seed=seed),
        (workdir, name),
        Voice(language=lang.value, is_json=json),
        started,
    )  # fmt: skip


@app.command()
def explain(  # noqa: PLR0913  each is an option of the command line
    model: ModelName,
    input: Annotated[Path, typer.Option(help="The file with the row to explain, or an image.")],
    row: Annotated[int, typer.Option(help="Which row, from 0 on.")] = 0,
    data: Annotated[
        Path | None, typer.Option(help="Ordinary rows to compare with; the input's if not given.")
    ] = None,
    target: Target = "",
    text: TextColumn = "",
    method: Annotated[
        str,
        typer.Option(
            help="auto, exact, leverage, odd-kernel, trees, linear, lime, tabular-lime, gradients, smooth-gradients, input-x-gradient, grad-cam or occlusion."
        ),
    ] = "auto",
    top: Annotated[int, typer.Option(min=1, help="How many features to show.")] = 10,
    out: Annotated[
        Path | None, typer.Option(help="Where to write it: .png, .svg, .html or .json.")
    ] = None,
    plot: Annotated[
        str, typer.Option(help="Which picture: bar, waterfall, force, decision, text or image.")
    ] = "",
    csv: Annotated[
        Path | None, typer.Option(help="Where to write every value with its error, as CSV.")
    ] = None,
    factory: Factory = "",
    answers: Answers = AnswersKind.AUTO,
    trust: Trusted = None,
    classes: Classes = "",
    task: TaskOption = TaskName.AUTO,
    drop: Drop = "",
    request: Request = "",
    answer: Answer = "",
    header: Header = None,
    token_file: TokenFile = None,
    batch: Batch = 64,
    timeout: Timeout = 30.0,
    seed: Seed = 0,
    json: Json = False,
    lang: Language = Lang.EN,
) -> None:
    """Explain one answer: what moved it, how far, and how sure that is."""
    from fivefold.cli.access import access_of
    from fivefold.cli.audit import split_names
    from fivefold.cli.explain_one import Files, verb
    from fivefold.recipe.audit import Given, Subject

    verb(
        Subject(named=model, factory=factory, answers=answers.value, trusted=tuple(trust or ()), access=access_of((request, answer), header, token_file, batch, timeout)),
        Given(data=data or input, target=target, text=text, classes=split_names(classes), task=task.value, drop=split_names(drop), seed=seed),
        (input, row),
        (method, top),
        Files(out, csv, plot),
        Voice(language=lang.value, is_json=json),
    )  # fmt: skip


@app.command()
def attack(  # noqa: PLR0913  each is an option of the command line
    model: ModelName,
    data: DataFile,
    target: Target = "",
    eps: Annotated[
        float, typer.Option(help="How far an input may move: pixels of [0, 1], or scales.")
    ] = 0.1,
    norm: Annotated[str, typer.Option(help="Which length eps bounds: linf or l2.")] = "linf",
    method: Annotated[
        str, typer.Option(help="pgd (gradients), query (answers only), or auto.")
    ] = "auto",
    rows: Annotated[int, typer.Option(min=1, help="Most rows to attack.")] = 200,
    queries: Annotated[
        int, typer.Option(min=1, help="Answers asked for per row, without gradients.")
    ] = 500,
    steps: Annotated[int, typer.Option(min=1, help="Gradient steps.")] = 40,
    save: Annotated[
        Path | None, typer.Option(help="Where to write the rows that fool it: .csv or .npz.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Where to draw before and after: .png or .svg.")
    ] = None,
    factory: Factory = "",
    answers: Answers = AnswersKind.AUTO,
    trust: Trusted = None,
    classes: Classes = "",
    drop: Drop = "",
    request: Request = "",
    answer: Answer = "",
    header: Header = None,
    token_file: TokenFile = None,
    batch: Batch = 64,
    timeout: Timeout = 30.0,
    seed: Seed = 0,
    json: Json = False,
    lang: Language = Lang.EN,
) -> None:
    """Attack some rows: how many still stand, and what fools the model."""
    from fivefold.cli.access import access_of
    from fivefold.cli.attack_one import How, verb
    from fivefold.cli.audit import split_names
    from fivefold.recipe.audit import Given, Subject

    verb(
        Subject(named=model, factory=factory, answers=answers.value, trusted=tuple(trust or ()), access=access_of((request, answer), header, token_file, batch, timeout)),
        Given(data=data, target=target, classes=split_names(classes), drop=split_names(drop), seed=seed),
        How(eps=eps, norm=norm, method=method, steps=steps, queries=queries, rows=rows),
        (save, picture),
        Voice(language=lang.value, is_json=json),
    )  # fmt: skip
