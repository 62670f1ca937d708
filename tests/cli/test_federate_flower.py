"""What `fivefold federate` writes, carried out by Flower's processes: the weights are those of `fivefold run`."""

import socket

import pytest
import tomli_w

from fivefold.models import load_model
from fivefold.privacy.federated.flower.commands import commands
from fivefold.privacy.federated.flower.deployment import read_plan
from fivefold.recipe import read_recipe, run
from flower_federation import weights
from flower_processes import BIN, free_port, machines, started_in
from toyrecipe import table

NAMES = ("bank-a", "bank-b", "bank-c")
STEP = {
    "name": "together", "use": "privacy.Federated", "rounds": 2, "rate": 1.0, "sampling": "fixed",
    "batch_size": "all", "clients": {"use": "privacy.federated.Equal", "n_clients": len(NAMES)},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(
    not (BIN / "flower-superlink").exists(),
    reason="no environment for Flower; make .peers/flower",
)
def test_a_trial_reaches_the_weights_of_the_run(ask, tmp_path):
    data = {"use": "data.Bundled", "name": "breast_cancer"}
    given = table(data=data, plugins=[], steps=[STEP], probes=[], comparisons=[])
    recipe, out = tmp_path / "toy.toml", tmp_path / "out"
    recipe.write_text(tomli_w.dumps(given))
    done = run(read_recipe(recipe), tmp_path / "runs")
    asked = ("--clients", ",".join(NAMES), "--out", out, "--port", free_port(), "--try")
    said = ask("federate", recipe, *asked, "--workdir", tmp_path / "runs")
    assert said.code == 0, said.err
    deployment = read_plan(out / "app/federation/plan.json")
    rows = {name: f"clients/{name}.csv" for name in NAMES}
    told = commands(deployment, rows, [free_port() for _ in NAMES])
    with machines(out) as all_:
        all_.run(told.keys)
        all_.start("superlink", told.superlink)
        all_.wait(lambda: is_open(deployment.terms.port), 120)
        for command in told.register:
            all_.run(command)
        for name, command in zip(NAMES, told.supernodes, strict=True):
            all_.start(name, command)
        all_.run(told.start)
        all_.wait((out / "final" / "model.json").exists, 300)
    assert started_in(out) == []
    start, end, like = (
        weights(load_model(f))
        for f in (out / "start", out / "final", done.folder / "stages/01-together")
    )
    assert float((end - like).abs().max()) < 1e-5
    assert float((end - start).abs().max()) > 1e-3


def is_open(port):
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0
