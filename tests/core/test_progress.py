from contextlib import suppress

from fivefold.core import progress


class Heard:
    """Writes down what it is told."""

    def __init__(self):
        self.told = []

    def start(self, label, total):
        self.told.append(("start", label, total))
        return len(self.told)

    def advance(self, handle):
        self.told.append(("advance", handle))

    def scalar(self, label, value, index):
        self.told.append(("scalar", label, value, index))

    def stop(self, handle):
        self.told.append(("stop", handle))


def test_nobody_listens_unless_asked_to():
    assert not progress.is_heard()
    assert list(progress.track([1, 2], "x")) == [1, 2]
    progress.scalar("loss", 1.0, 0)


def test_each_listener_hears_each_unit():
    a, b = Heard(), Heard()
    with progress.heard_by(a), progress.section("step"):
        with progress.heard_by(b):
            assert list(progress.track([5, 6], "work")) == [5, 6]
        progress.scalar("loss", 0.5, 3)
    start = ("start", "step · work", 2)
    assert b.told == [start, ("advance", 1), ("advance", 1), ("stop", 1)]
    assert a.told == [*b.told, ("scalar", "step · loss", 0.5, 3)]


def test_work_that_fails_is_stopped_too():
    heard = Heard()

    def failing():
        yield 1
        raise RuntimeError

    with progress.heard_by(heard), suppress(RuntimeError):
        list(progress.track(failing(), "x", total=9))
    assert heard.told == [("start", "x", 9), ("advance", 1), ("stop", 1)]
    assert not progress.is_heard()
