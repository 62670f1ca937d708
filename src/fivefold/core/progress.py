"""Progress of long work, told to whoever listens. Nobody listens unless asked to."""

from collections.abc import Generator, Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar

T = TypeVar("T")


class Listener(Protocol):
    """Something that shows progress: a terminal bar, a live page, a test."""

    def start(self, label: str, total: int | None) -> int:
        """Begin a piece of work and return its handle. `total` is None if nobody knows."""
        ...

    def advance(self, handle: int) -> None:
        """One unit of the work is done."""
        ...

    def scalar(self, label: str, value: float, index: int) -> None:
        """A number along the way, such as the training loss."""
        ...

    def stop(self, handle: int) -> None:
        """The work has ended, finished or not."""
        ...


_listeners: ContextVar[tuple[Listener, ...]] = ContextVar("listeners", default=())
_section: ContextVar[str] = ContextVar("section", default="")


@contextmanager
def heard_by(listener: Listener) -> Generator[None]:
    """Tell `listener`, besides those who listen already, of all progress inside the block."""
    token = _listeners.set((*_listeners.get(), listener))
    try:
        yield
    finally:
        _listeners.reset(token)


@contextmanager
def section(name: str) -> Generator[None]:
    """Put `name` before the label of all progress inside the block."""
    token = _section.set(name)
    try:
        yield
    finally:
        _section.reset(token)


def track(items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
    """Yield `items`, telling the listeners of each."""
    total = len(items) if isinstance(items, Sized) else total
    handles = [(x, x.start(_named(label), total)) for x in _listeners.get()]
    try:
        for item in items:
            yield item
            for listener, handle in handles:
                listener.advance(handle)
    finally:
        for listener, handle in handles:
            listener.stop(handle)


def scalar(label: str, value: float, index: int) -> None:
    """Tell the listeners a number along the way."""
    for listener in _listeners.get():
        listener.scalar(_named(label), value, index)


def is_heard() -> bool:
    """Whether anybody listens; making a scalar may cost a synchronisation."""
    return bool(_listeners.get())


def _named(label: str) -> str:
    return f"{_section.get()} · {label}" if _section.get() else label
