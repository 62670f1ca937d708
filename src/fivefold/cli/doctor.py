"""What this machine has, and what to mend."""

import os
import shutil
from importlib.util import find_spec
from typing import NamedTuple

from fivefold.cli.voice import Voice
from fivefold.core.text import Language, Text, text

EXTRAS = {
    "track": ("tensorboard",),
    "docs": ("mkdocs",),
    "dev": ("pytest", "hypothesis", "playwright"),
}
ENOUGH_BYTES = 2_000_000_000


class Check(NamedTuple):
    """One thing that was looked at: `is_fine` is None if it is optional and absent."""

    name: str
    found: str
    is_fine: bool | None
    mend: Text


def doctor(voice: Voice) -> None:
    """Print the findings; the exit code is 0 even if something should be mended."""
    checks = [*_torch(), *_machine(), *_extras()]
    voice.give(
        [c._asdict() | {"mend": c.mend.words(voice.language)} for c in checks],
        _table(checks, voice.language),
    )


def _torch() -> list[Check]:
    import torch

    threads = torch.get_num_threads()
    policy = os.environ.get("OMP_WAIT_POLICY", "not set")
    return [
        Check("torch", torch.__version__, True, Text("")),
        Check("accelerator", torch.cuda.get_device_name() if torch.cuda.is_available() else "none", None, Text("")),
        Check("threads", str(threads), threads <= (os.cpu_count() or 1), text("Set OMP_NUM_THREADS to the number of cores.")),
        Check(
            "OMP_WAIT_POLICY",
            policy,
            policy == "PASSIVE",
            text("Set OMP_WAIT_POLICY=PASSIVE: threads that spin while they wait slow a busy machine down."),
        ),
    ]  # fmt: skip


def _machine() -> list[Check]:
    free, cores, load = shutil.disk_usage(".").free, os.cpu_count() or 1, os.getloadavg()[0]
    return [
        Check(
            "free disk",
            f"{free / 1e9:.1f} GB",
            free > ENOUGH_BYTES,
            text("A run may need 2 GB; make room."),
        ),
        Check(
            "load average",
            f"{load:.2f} on {cores} cores",
            load < cores,
            text("Other work is running: times measured now will be marked as unreliable."),
        ),
    ]


def _extras() -> list[Check]:
    found: list[Check] = []
    for extra, modules in EXTRAS.items():
        lacking = [m for m in modules if find_spec(m) is None]
        mend = (
            text('Optional: pip install "fivefold[{extra}]".', extra=extra) if lacking else Text("")
        )
        found.append(
            Check(
                f"extra {extra}",
                "installed" if not lacking else "absent",
                None if lacking else True,
                mend,
            )
        )
    return found


def _table(checks: list[Check], language: Language) -> object:
    from rich.table import Table

    table = Table(show_header=False, box=None)
    for check in checks:
        sign = {True: "[green]✓[/]", False: "[yellow]![/]", None: "·"}[check.is_fine]
        mend = "" if check.is_fine else check.mend.words(language)
        table.add_row(sign, check.name, check.found, mend)
    return table
