"""Fivefold's server: every guard, micro-batching, monitor and audit log."""

import sys
from pathlib import Path

import torch

from fivefold.deploy import read_guard
from fivefold.deploy.server import Served, Settings, app_of, opened, serve
from fivefold.models import load_model

torch.set_num_threads(1)
folder, port, state = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
model = load_model(folder)
found = read_guard(folder)
settings = Settings(name="digits", detector="flag", per_second=1e6, burst=10**6)
sinks = []
try:
    from fivefold.deploy.ledger import Ledger

    sinks.append(Ledger(state / "audit.sqlite"))
except ImportError:
    print("no audit log yet", file=sys.stderr)
app, _ = app_of(Served(model=model, settings=settings, detector=found[1] if found else None), sinks)
serve(app, opened("127.0.0.1", port))
