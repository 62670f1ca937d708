"""Two recipes on bundled data, from training to a verified bundle."""

from importlib.resources import files
from pathlib import Path

import fivefold
from fivefold.cli.bundle import pack, verify
from fivefold.cli.gate import policy_of, table
from fivefold.cli.run import run
from fivefold.cli.voice import Voice
from fivefold.core.errors import BadInput
from fivefold.report import judge

RECIPES = ("medical", "digits")


def demo(workdir: Path, voice: Voice) -> None:
    """Run, report, judge, pack, verify; then say what to do next."""
    told: list[dict[str, object]] = []
    quiet = Voice(language=voice.language)
    for name in RECIPES:
        voice.say("— {name} —", name=name)
        done = run(recipe_file(name), workdir, frozenset(), "auto", False, quiet)
        verdict = judge(done, policy_of(done))
        quiet.console(stderr=voice.is_json).print(table(verdict, voice))
        out, key = done.folder / f"{name}.bundle", workdir / "demo-key.pem"
        pack(done, done.stages[-1].name, out, key, True, quiet)
        verify(out, key.with_suffix(".pub.pem"), quiet)
        told.append({"run": str(done.folder), "passed": verdict.passed, "bundle": str(out)})
    voice.give(told)
    _next(workdir, voice)


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
    voice.say("What next:")
    for line in (
        f"open {workdir}/medical/report.html",
        f"fivefold gate {workdir}/medical",
        f"fivefold compare {workdir}/medical {workdir}/digits",
        "fivefold init mine --data my.csv --target my_column",
        "fivefold list",
    ):
        voice.say("  {line}", line=line)
