"""A thread that keeps the evidence fresh and writes it down, every few seconds and at the end."""

import logging
from pathlib import Path
from threading import Event as Signal
from threading import Thread

from fivefold.core.atomic import sweep
from fivefold.deploy.watch.live import LIVE, write_live
from fivefold.deploy.watch.monitor import Monitor

EVERY = 30.0  # seconds between two writings of the evidence: its sums cost up to a second
GLANCE = 0.5  # seconds between looks at what has come in
log = logging.getLogger(__name__)


class Keeper:
    """Does the sums of a monitor in a thread of its own, and writes `live.json`.

    Args:
        monitor: Whose evidence it keeps.
        folder: State folder of the server; None to write nothing.
        every: Seconds between two writings.
    """

    def __init__(self, monitor: Monitor, folder: Path | None, every: float = EVERY) -> None:
        self.monitor = monitor
        self.folder = folder
        self.every = every
        self._over = Signal()
        self._thread = Thread(target=self._work, name="fivefold-watch", daemon=True)

    def start(self) -> "Keeper":
        """Begin; what a server that was killed has half written is swept away."""
        sweep(self.folder.glob(f".{LIVE}.*.part") if self.folder else ())
        self._thread.start()
        return self

    def stop(self) -> None:
        """End the streams, look at the last requests, and write the last evidence."""
        self.monitor.close()
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        self._write()

    def _work(self) -> None:
        left = 0.0  # the first sums at once: what they must import is loaded before anybody asks
        while True:
            try:
                self.monitor.catch_up()
                left -= GLANCE
                if left <= 0:
                    left = self.every
                    self._write()
            except Exception:  # one request that cannot be looked at must not end the watching
                log.exception("a look at what came in failed")
            if self._over.wait(GLANCE):
                return

    def _write(self) -> None:
        live = self.monitor.live(no_older_than=0.0)
        if self.folder is None:
            return
        try:
            write_live(self.folder, live)
        except OSError as error:  # a full disk must not stop the watching, still less the answering
            log.warning("live.json was not written: %s", error)
