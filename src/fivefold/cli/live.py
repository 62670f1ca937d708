"""Judge what a server has found about the model it serves, told by its file or its address."""

import time
from pathlib import Path
from typing import NamedTuple

from fivefold.cli.gate import conclude, policy_of
from fivefold.cli.live_source import read_source
from fivefold.cli.voice import Voice
from fivefold.deploy.watch import Live, check_digest, judge_live, run_of
from fivefold.recipe import Run, read_run
from fivefold.report import read_policy


class Source(NamedTuple):
    """Where live evidence comes from: a file or address, the file with the key to show, and how old it may be."""

    place: str
    token_file: Path | None
    minutes: float


def gate_live(
    folder: Path, source: Source, policy: Path | None, report: Path | None, voice: Voice
) -> None:
    """Print the verdict on a run or bundle and on what its server has found.

    Raises:
        BadInput: There is no such run, bundle, file or server, or the evidence is of another run.
        Damaged: The bundle or the evidence is not as it was written, or is of another bundle.
        GateFailed: A limit is broken, or a required number is missing.
    """
    is_bundle = (folder / "bundle.json").is_file()
    run = run_of(folder) if is_bundle else read_run(folder)
    limits = read_policy(policy) if policy else policy_of(run)
    live = read_source(source.place, source.token_file)
    if is_bundle:
        check_digest(folder, live)
    else:
        voice.say("A run knows its server by name; give its bundle to compare every byte.")
    now = time.time()
    verdict = judge_live(run, live, limits, now=now, oldest=60 * source.minutes)
    voice.say(
        "Live evidence of {when}, from a server that has seen {n} requests.",
        when=live.when,
        n=live.requests,
    )
    conclude(verdict, report, voice, {"live": _told(live, run, now)})


def _told(live: Live, run: Run, now: float) -> dict[str, object]:
    return {
        "name": live.name, "stage": live.stage, "measured": live.when,
        "age_seconds": now - live.written, "requests": live.requests, "lost": live.lost,
        "digest": live.digest, "run_created": run.created,
    }  # fmt: skip
