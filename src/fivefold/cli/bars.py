"""Progress bars, if a person watches a terminal."""

from collections.abc import Generator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from fivefold.cli.voice import Voice
from fivefold.core import progress
from fivefold.core.text import translate


class Bars:
    """A listener that draws a bar with the time left for every piece of work."""

    def __init__(self, bars: Progress, voice: Voice) -> None:
        self._bars = bars
        self._voice = voice

    def start(self, label: str, total: int | None) -> int:
        """Begin a bar."""
        stage, dot, work = label.rpartition(" · ")  # a stage keeps its name in every language
        words = f"{stage}{dot}{translate(work, self._voice.language)}"
        return self._bars.add_task(words, total=total)

    def advance(self, handle: int) -> None:
        """Move a bar on."""
        self._bars.advance(TaskID(handle))

    def scalar(self, label: str, value: float, index: int) -> None:
        """Scalars are not shown on the terminal."""

    def stop(self, handle: int) -> None:
        """Take a finished bar away."""
        self._bars.remove_task(TaskID(handle))


@contextmanager
def shown(voice: Voice) -> Generator[None]:
    """Show progress inside the block, if a person watches."""
    console = voice.console(stderr=True)
    if voice.is_json or not console.is_terminal:
        yield
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with (
        Progress(*columns, console=console, transient=True, refresh_per_second=4) as bars,
        progress.heard_by(Bars(bars, voice)),
    ):
        yield
