"""Go on in the middle of a step after an interruption, with the same bits.

Steps know nothing of it: whoever runs a step does so inside `keeping`, and `fit` looks whether it is kept.
A step may call `fit` several times; calls that had ended give their result at once.
"""

import time
from collections.abc import Generator as Generating
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from torch import Generator

from fivefold.core.data import Draws
from fivefold.core.errors import Damaged
from fivefold.training import snapshot
from fivefold.training.settled import Settled, Source
from fivefold.training.snapshot import Place, Snapshot
from fivefold.training.state import State

T = TypeVar("T", bound=Source)
SOONEST_SECONDS = (
    2.0  # the first write; then after 4, 8, 16 ... until they are `every_seconds` apart
)


@dataclass
class Keeper:
    """What is kept of one step.

    Attributes:
        folder: Where files go.
        key: Hash of everything the step depends on; what was kept under another key is not used.
        every_seconds: Longest time between two writes.
        generators: Sources of randomness that the step draws from while it trains.
        n_calls: How many times `fit` was called.
        waiting: Ends of calls that are not on the disk yet, so that many short calls cost few writes.
        began: When the step began, by the monotonic clock.
        written: When something was last written, by the monotonic clock.
    """

    folder: Path
    key: str
    every_seconds: float
    generators: list[Source] = field(default_factory=list[Source])
    n_calls: int = 0
    waiting: list[Snapshot] = field(default_factory=list[Snapshot])
    began: float = field(default_factory=lambda: time.monotonic())  # looked up when it is asked
    written: float = field(init=False)

    def __post_init__(self) -> None:
        self.written = self.began

    def is_due(self) -> bool:
        """Whether the last write is long enough ago."""
        age = self.written - self.began  # soon at first, so that little is lost at any age
        wait = min(self.every_seconds, max(SOONEST_SECONDS, age))
        return time.monotonic() - self.written >= wait

    def write(self) -> None:
        """Write what is waiting."""
        for one in self.waiting:
            snapshot.write(one)
        self.waiting.clear()
        self.written = time.monotonic()


@dataclass
class Slot:
    """The place of one call of `fit`; one without a keeper does nothing.

    Most of the time of a batch goes by before the weights move. An interruption until then goes back to
    the end of the batch before, by undoing the draws and the running statistics of layers.

    Attributes:
        keeper: What keeps the step.
        place: Where the call is kept, and what it must agree with.
        generators: Sources of randomness known when the call began.
        settled: What a batch changes before the weights move, as it was; None while they move.
    """

    keeper: Keeper | None = None
    place: Place = Place(Path(), 0, "")
    generators: tuple[Source, ...] = ()
    settled: Settled | None = None

    def restore(self, state: State) -> None:
        """Bring `state` to where it was; leave it if nothing sound was kept for the same call."""
        if self.keeper is None:
            return
        try:
            snapshot.restore(self.place, state, self.generators)
        except (OSError, Damaged):
            return  # the work is done again

    def keep_if_due(self, state: State) -> None:
        """Keep `state` between two batches, or at the end, if the last write is long enough ago."""
        if self.keeper is None or not (state.is_done or self.keeper.is_due()):
            return
        self.keeper.waiting.append(snapshot.taken(self.place, state, self.generators))
        if self.keeper.is_due():
            self.keeper.write()

    def settle(self, state: State) -> None:
        """Take note that a batch has ended and the next has not begun."""
        if self.keeper is not None:
            self.settled = Settled.of(state, self.generators)

    def unsettle(self) -> None:
        """Take note that from now on nothing can be undone."""
        self.settled = None

    @contextmanager
    def interruptible(self, state: State) -> Generating[None]:
        """Have `state` kept if somebody presses Ctrl-C, unless weights are moving."""
        try:
            yield
        except KeyboardInterrupt:
            if self.keeper is not None and self.settled is not None:
                self.settled.undo(state, self.generators)
                self.keeper.waiting.append(snapshot.taken(self.place, state, self.generators))
            raise


_keeper: ContextVar[Keeper | None] = ContextVar("keeper", default=None)


@contextmanager
def keeping(
    folder: Path, rng: Generator, *, key: str, every_seconds: float = 60.0
) -> Generating[None]:
    """Keep what `fit` does inside the block, and go on from what was kept before.

    When the block ends well the files are removed, so what the step returned must be saved inside it.
    Ctrl-C writes what is there before it goes on to end the block.

    Args:
        folder: Where files go; nothing else may be in it.
        rng: What the step is given as `rng`.
        key: Hash of step, data, seed and code.
        every_seconds: Longest time between two writes; they are closer at first. 0 writes after each batch.
    """
    keeper = Keeper(folder, key, every_seconds, [rng])
    token = _keeper.set(keeper)
    try:
        yield
        snapshot.clear(folder)
    except KeyboardInterrupt:
        keeper.write()
        raise
    finally:
        _keeper.reset(token)


def forget(folder: Path) -> None:
    """Remove what a process has kept in `folder` that was killed after the step was saved."""
    snapshot.clear(folder)


def register(rng: T) -> T:
    """Return `rng`, whose state is kept from now on, for a loss or a gradient that has its own.

    Call it before `fit`. Leave secret noise out: it would be written to the disk, and drawing the rest
    anew is as private.
    """
    keeper = _keeper.get()
    if keeper is not None:
        keeper.generators.append(rng)
    return rng


def slot(batches: Draws) -> Slot:
    """Return the place of the next call of `fit`, which reads `batches`."""
    keeper = _keeper.get()
    if keeper is None:
        return Slot()
    place = Place(keeper.folder, keeper.n_calls, f"{keeper.key}/{batches.seed}/{len(batches)}")
    keeper.n_calls += 1
    return Slot(keeper, place, tuple(keeper.generators))
