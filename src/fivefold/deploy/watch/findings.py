"""Everything that production shows, as evidence."""

from fivefold.deploy.watch.drift import drift
from fivefold.deploy.watch.live import Live
from fivefold.deploy.watch.quality import quality
from fivefold.deploy.watch.reference import Reference
from fivefold.deploy.watch.subject import Subject, Window
from fivefold.deploy.watch.traffic import traffic
from fivefold.deploy.watch.view import View


def live_of(view: View, subject: Subject, reference: Reference, window: Window) -> Live:
    """Return the evidence of what is remembered."""
    return Live(
        name=subject.name,
        run=subject.run,
        stage=subject.stage,
        digest=subject.digest,
        started=view.started,
        written=view.now,
        minutes=window.minutes,
        requests=view.totals.n,
        lost=view.totals.lost,
        findings=(
            *traffic(view, subject),
            *drift(view, subject, reference),
            *quality(view, subject, reference),
        ),
    )
