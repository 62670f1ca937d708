"""Fivefold's server as it is promised: guards, detector, rate limit, micro-batching, monitor and audit log."""

import sys
from pathlib import Path

import torch

from fivefold.deploy import read_guard
from fivefold.deploy.ledger import Ledger
from fivefold.deploy.server import Served, Settings, app_of, opened, serve
from fivefold.deploy.watch import Keeper, Monitor, Subject, read_reference, routes
from fivefold.models import load_model

torch.set_num_threads(1)
folder, port = Path(sys.argv[1]), int(sys.argv[2])
model = load_model(folder)
guard, detector = read_guard(folder)
settings = Settings(name="digits", per_second=1e6, burst=10**6)
subject = Subject(
    name="digits", task=model.task, schema=model.schema, run="digits", stage="plain", digest="0" * 64,
    threshold=guard.threshold, nominal=guard.fpr,
)  # fmt: skip
monitor = Monitor(subject, reference=read_reference(folder))
served = Served(model=model, settings=settings, detector=detector)
with Ledger(folder / "audit.sqlite", "0" * 64, model.task.classes) as ledger:
    app, batcher = app_of(served, [monitor, ledger], routes(monitor), lambda: ledger.is_full)
    monitor.depth = lambda: batcher.waiting
    keeper = Keeper(monitor, folder, 30.0).start()  # as the command line has it
    serve(app, opened("127.0.0.1", port))
    keeper.stop()
