"""Serve a bundle: verify it, put guards, monitor and audit log around it, and listen."""

import hashlib
import logging
import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from fivefold.cli.voice import Voice
from fivefold.core.errors import BadInput
from fivefold.core.evidence import Evidence
from fivefold.core.text import translate
from fivefold.deploy import Bundle, Guard, load_bundle, read_guard, verify_bundle
from fivefold.deploy.ledger import Ledger
from fivefold.deploy.server import (
    Served,
    Settings,
    app_of,
    check_address,
    make_key,
    opened,
    read_keys,
)
from fivefold.deploy.server import serve as listen
from fivefold.deploy.server.listen import LOOPBACK
from fivefold.deploy.server.settings import Detecting
from fivefold.deploy.watch import Keeper, Monitor, Subject, read_reference, routes
from fivefold.models import TorchModel
from fivefold.privacy import PersonalScreen

AUDIT = "audit.sqlite"
RARE = 0.02  # false alarms that are worth refusing for


@dataclass(frozen=True, kw_only=True)
class Where:
    """Where to listen, and who may ask.

    Attributes:
        host: Address.
        port: Port; 0 takes a free one.
        token_file: File with hashes of keys; None if nobody needs a key.
        state: Folder for what the server writes; None to write nothing.
        key: Public key that must have signed the bundle.
        names: Further names by which callers may know this server.
        audit_log: File of the audit log; inside the state folder if not given.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    token_file: Path | None = None
    state: Path | None = None
    key: Path | None = None
    names: tuple[str, ...] = ()
    audit_log: Path | None = None

    @property
    def log(self) -> Path | None:
        """File of the audit log; None if nothing is to be written."""
        return self.audit_log or (self.state / AUDIT if self.state else None)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Names by which callers may know this server; empty for any, where a key protects it anyway."""
        if self.host in LOOPBACK:
            return (*LOOPBACK, "[::1]", *self.names)
        return (self.host, *self.names) if self.names else ()


def new_key(file: Path | None, name: str, voice: Voice) -> None:
    """Make a key for a client and show it, once."""
    if file is None:
        raise BadInput("A key needs a file to be kept in.", mend="Give --token-file FILE.")
    key = make_key(file, name)
    voice.say("The key of {name}; it is shown this once, and only its hash is kept:", name=name)
    voice.give({"name": name, "key": key}, key)


def serve(folder: Path, where: Where, settings: Settings, voice: Voice) -> None:
    """Serve a bundle until the process is told to end."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    keys = read_keys(where.token_file) if where.token_file else {}
    check_address(where.host, has_keys=bool(keys))
    model, bundle = load_bundle(folder, where.key)
    found = read_guard(folder)
    guard, detector = found if found else (None, None)
    settings = replace(settings, hosts=where.hosts, detector=_mode(settings.detector, guard))
    personal = PersonalScreen() if settings.refuses_personal else None
    served = Served(model=model, settings=settings, detector=detector, keys=keys, personal=personal)
    monitor = _monitor(model, bundle, settings, guard)
    with _ledger(where.log, bundle, model) as ledger:
        sinks = [monitor, ledger] if ledger else [monitor]
        is_full = (lambda: ledger.is_full) if ledger else (lambda: False)
        app, batcher = app_of(served, sinks, routes(monitor), is_full)
        monitor.depth = lambda: batcher.waiting
        door = opened(where.host, where.port)
        _say(bundle, guard, settings, where.log, voice)
        _say_where(settings, door.getsockname(), voice)
        if where.host not in LOOPBACK:
            voice.say(
                "This server speaks plain HTTP, and keys can be read on the way: put TLS in front of it."
            )
        app.on_drain = monitor.close
        keeper = Keeper(monitor, where.state).start()
        try:
            listen(app, door)
        finally:
            keeper.stop()
    voice.say("Ended; everything that was accepted is answered.")


def _mode(wanted: Detecting, guard: Guard | None) -> Detecting:
    """Return what the detector does: "auto" refuses only where few ordinary examples are refused with the rest."""
    if wanted != "auto":
        return wanted
    return "refuse" if guard is not None and guard.fpr <= RARE else "flag"


@contextmanager
def _ledger(file: Path | None, bundle: Bundle, model: TorchModel) -> Generator[Ledger | None]:
    if file is None:
        yield None
        return
    with Ledger(file, _digest(bundle.folder), model.task.classes) as ledger:
        yield ledger


def _monitor(model: TorchModel, bundle: Bundle, settings: Settings, guard: Guard | None) -> Monitor:
    has_detector = guard is not None and settings.detector != "off"
    subject = Subject(
        name=settings.name,
        task=model.task,
        schema=model.schema,
        run=bundle.about.run,
        stage=bundle.stage,
        digest=_digest(bundle.folder),
        threshold=guard.threshold if guard and has_detector else None,
        nominal=guard.fpr if guard and has_detector else None,
    )
    return Monitor(subject, reference=read_reference(bundle.folder))


def _digest(folder: Path) -> str:
    return hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()


def _say(
    bundle: Bundle, guard: Guard | None, settings: Settings, log: Path | None, voice: Voice
) -> None:
    voice.say("Bundle: {status}", status=bundle.status.words(voice.language))
    if guard is None:
        voice.say("Detector: none in this bundle.")
    else:
        voice.say(
            "Detector: {mode}; set to raise the alarm on {share} of ordinary examples.",
            mode=settings.detector,
            share=f"{guard.fpr:.0%}",
        )
        _say_worth(guard, voice)
    if settings.refuses_personal:
        voice.say("Personal data: strings in which some are found are refused.")
    else:
        voice.say("Personal data: no filter; strings go to the model as they come.")
    if log is None:
        voice.say("Audit log: none; give --state FOLDER or --audit-log FILE.")
    else:
        voice.say("Audit log: {path}", path=str(log))


def _say_worth(guard: Guard, voice: Voice) -> None:
    """Say what was measured of the detector: attackers who know it, those who do not, and false alarms."""
    if not guard.findings:
        voice.say("  What it is worth was not measured.")
    for found in guard.findings:
        what = f"{translate(found.name.replace('_', ' '), voice.language)} ({found.setting})"
        if isinstance(found, Evidence):
            voice.say(
                "  {what}: {value}, between {low} and {high} with 95 % confidence (n = {n})",
                what=what, value=f"{found.value:.1%}", low=f"{found.low:.1%}",
                high=f"{found.high:.1%}", n=found.n,
            )  # fmt: skip
        else:
            voice.say("  {what}: {why}", what=what, why=found.reason.words(voice.language))


def _say_where(settings: Settings, address: tuple[str, int], voice: Voice) -> None:
    host, port = address[:2]
    host = f"[{host}]" if ":" in host else host
    url = f"http://{host}:{port}"
    voice.say("Serving {name} at {url}", name=settings.name, url=f"{url}/v2/models/{settings.name}")
    voice.say("Live page: {url}", url=f"{url}/live")
    voice.give({"url": url, "model": settings.name})


def settings_of(
    folder: Path,
    name: str,
    rate: tuple[float, int],
    detector: Detecting,
    *,
    refuses_personal: bool = False,
) -> Settings:
    """Return the limits of the guards; the model is named after its run if not otherwise.

    Raises:
        BadInput: The name does not fit into a path.
    """
    name = name or verify_bundle(folder).about.run
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", name) or name.strip(".") == "":
        raise BadInput(
            "The name of a model is made of letters, digits, dots and dashes.",
            where=name,
            mend="Choose another one with --name.",
        )
    per_second, burst = rate
    return Settings(
        name=name,
        per_second=per_second or None,
        burst=burst,
        detector=detector,
        refuses_personal=refuses_personal,
    )
