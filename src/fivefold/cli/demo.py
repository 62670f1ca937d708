"""Two recipes on bundled data, from training to a verified bundle that is served; then an audit."""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

import fivefold
from fivefold.cli import demo_audit, demo_served
from fivefold.cli.bundle import check, pack
from fivefold.cli.gate import policy_of, table
from fivefold.cli.run import page_name, perform
from fivefold.cli.voice import Voice
from fivefold.core.errors import BadInput, MissingExtra
from fivefold.recipe import Run
from fivefold.report import judge

RECIPES = ("medical", "digits")
T = TypeVar("T")


def demo(workdir: Path, voice: Voice) -> None:
    """Run, report, judge, pack, verify, serve, audit; then say what to do next."""
    told: list[dict[str, object]] = []
    out, done = workdir, None
    for name in RECIPES:
        voice.say("— {name} —", name=name)
        done = perform(recipe_file(name), workdir, voice)
        passed = _judged(done, voice)
        out, key = done.folder / f"{name}.bundle", workdir / "demo-key.pem"
        pack(done, done.stages[-1].name, out, key, True, voice)
        check(out, key.with_suffix(".pub.pem"), voice)
        told.append({"run": str(done.folder), "passed": passed, "bundle": str(out)})
    assert done is not None  # there is always a recipe
    voice.say("— {name} —", name="serve")
    served = _optional(lambda: demo_served.show(done, out, voice), voice)
    voice.say("— {name} —", name="audit")
    audited = _optional(lambda: demo_audit.show(workdir, voice), voice)
    folder = str(audited.folder) if audited else None
    voice.give({"runs": told, "served": served, "audited": folder})
    _next(workdir, voice)


def _optional(act: Callable[[], T], voice: Voice) -> T | None:
    """Return what `act` shows; None, with a word on it, where an extra is not installed."""
    try:
        return act()
    except MissingExtra as error:
        voice.say("Left out: {problem}", problem=error.words(voice.language))
        return None


def _judged(done: Run, voice: Voice) -> bool:
    """Show the verdict and say whether the gate is passed; the demo goes on either way."""
    verdict = judge(done, policy_of(done))
    voice.console(stderr=voice.is_json).print(table(verdict, voice))
    voice.say("The gate is passed." if verdict.passed else "The gate is not passed.")
    return verdict.passed


def recipe_file(name: str) -> Path:
    """Return where a recipe that comes with the toolkit lies.

    Raises:
        BadInput: The installation lacks it.
    """
    inside = Path(str(files(fivefold))) / "recipes" / f"{name}.toml"
    beside = Path(fivefold.__file__).parents[2] / "recipes" / f"{name}.toml"
    for path in (inside, beside):
        if path.is_file():
            return path
    raise BadInput(
        "The recipe {name} does not come with this installation.",
        where=str(inside),
        mend="Install fivefold again.",
        name=name,
    )


def _next(workdir: Path, voice: Voice) -> None:
    run = workdir / RECIPES[0]
    voice.say("What next:")
    voice.say("  Open {path} in a browser: what each step cost.", path=str(run / page_name(voice)))
    voice.say("  fivefold verify {path}", path=str(run / f"{RECIPES[0]}.bundle"))
    voice.say("  fivefold serve {path}", path=str(workdir / RECIPES[-1] / f"{RECIPES[-1]}.bundle"))
    voice.say("  fivefold audit my-model.onnx --data my.csv --target my_column")
    voice.say("  fivefold init mine --data my.csv --target my_column")
    voice.say("  fivefold list")
