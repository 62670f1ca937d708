"""What this machine has, and what to mend."""

import os
import platform
import shutil
from importlib.metadata import version
from importlib.util import find_spec
from typing import NamedTuple

from fivefold.cli.voice import Voice
from fivefold.core.text import Language, Text, text, translate

EXTRAS = {
    "track": ("tensorboard",),
    "docs": ("mkdocs",),
    "dev": ("pytest", "hypothesis", "playwright"),
}
ENOUGH_BYTES = 2_000_000_000
NOTHING = Text("")


class Check(NamedTuple):
    """One thing that was looked at: `is_fine` is None if it is optional and absent."""

    name: str
    found: Text
    is_fine: bool | None
    mend: Text = NOTHING

    def told(self, language: Language) -> dict[str, object]:
        """Return it as JSON can hold it; what is fine needs no mending."""
        return {
            "name": self.name,
            "found": self.found.words(language),
            "is_fine": self.is_fine,
            "mend": "" if self.is_fine else self.mend.words(language),
        }


def doctor(voice: Voice) -> None:
    """Print the findings; the exit code is 0 even if something should be mended."""
    checks = [*_versions(), *_threads(), *_machine(), *_extras()]
    voice.give([c.told(voice.language) for c in checks], _table(checks, voice.language))
    n = sum(c.is_fine is False for c in checks)
    voice.say("To mend: {n}. Look for the lines with !." if n else "Nothing needs mending.", n=n)


def _versions() -> list[Check]:
    import torch

    has_cuda = torch.cuda.is_available()
    return [
        Check("fivefold", _fact(version("fivefold")), True),
        Check("Python", _fact(platform.python_version()), True),
        Check("torch", _fact(torch.__version__), True),
        Check(
            "accelerator",
            _fact(torch.cuda.get_device_name()) if has_cuda else text("none"),
            True if has_cuda else None,
            text("Everything works without one, only slower."),
        ),
    ]


def _threads() -> list[Check]:
    import torch

    threads, policy = torch.get_num_threads(), os.environ.get("OMP_WAIT_POLICY", "")
    return [
        Check(
            "threads",
            _fact(str(threads)),
            threads <= (os.cpu_count() or 1),
            text("Set OMP_NUM_THREADS to the number of cores."),
        ),
        Check(
            "OMP_WAIT_POLICY",
            _fact(policy) if policy else text("not set"),
            policy.upper() == "PASSIVE",
            text("Set OMP_WAIT_POLICY=PASSIVE: threads that spin while they wait slow a busy machine down."),
        ),
    ]  # fmt: skip


def _machine() -> list[Check]:
    free, cores, load = shutil.disk_usage(".").free, os.cpu_count() or 1, os.getloadavg()[0]
    return [
        Check(
            "free disk",
            _fact(f"{free / 1e9:.1f} GB"),
            free > ENOUGH_BYTES,
            text("A run may need 2 GB; make room."),
        ),
        Check(
            "load average",
            text("{load} on {cores} cores", load=f"{load:.2f}", cores=cores),
            load < cores,
            text("Other work is running: times measured now will be marked as unreliable."),
        ),
    ]


def _extras() -> list[Check]:
    found: list[Check] = []
    for extra, modules in EXTRAS.items():
        is_there = all(find_spec(m) is not None for m in modules)
        told = text("installed") if is_there else text("absent")
        mend = text('Optional: pip install "fivefold[{extra}]".', extra=extra)
        found.append(Check(f"extra {extra}", told, True if is_there else None, mend))
    return found


def _fact(words: str) -> Text:
    return text("{fact}", fact=words)


def _table(checks: list[Check], language: Language) -> object:
    from rich.markup import escape
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    for check in checks:
        sign = {True: "[green]✓[/]", False: "[yellow]![/]", None: "·"}[check.is_fine]
        told = check.told(language)
        name = translate(check.name, language)
        table.add_row(sign, name, escape(str(told["found"])), escape(str(told["mend"])))
    return table
