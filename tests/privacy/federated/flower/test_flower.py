"""Flower's messages and Flower's processes, where its environment is there (`make .peers/flower`)."""

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from fivefold.models.save import load_model
from fivefold.privacy.federated import Federated
from fivefold.privacy.federated.flower.commands import commands
from flower_federation import NAMES, deployment, federation, twin, weights, written
from flower_processes import BIN, ROOT, SETTINGS, free_port, kill, machines, started_in

HERE = Path(__file__).parent
needs_flower = pytest.mark.skipif(
    not (BIN / "flower-superlink").exists(),
    reason="no environment for Flower; make .peers/flower",
)


@pytest.mark.slow
@needs_flower
def test_messages_carry_every_kind_of_run():
    told = subprocess.run(
        [BIN / "python", HERE / "flower_run.py"],
        env=os.environ | SETTINGS | {"PYTHONPATH": f"{SETTINGS['PYTHONPATH']}:{ROOT / 'tests'}"},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert told.returncode == 0, told.stderr[-3000:]
    assert "the same" in told.stdout


@pytest.mark.slow
@needs_flower
def test_processes_reach_the_weights_of_one_process_although_a_client_dies(tmp_path):
    made = federation(tmp_path)
    step = Federated(rounds=3, rate=1.0, sampling="fixed", batch_size=8)
    given = deployment(step, port=free_port(), join_within=200, answer_within=60)
    written(made, given, tmp_path)
    told = commands(given, made.rows, [free_port() for _ in NAMES])
    with machines(tmp_path) as all_:
        all_.run(told.keys)
        all_.start("superlink", told.superlink)
        all_.wait(lambda: is_open(given.terms.port), 120)
        for command in told.register:
            all_.run(command)
        nodes = [all_.start(n, c) for n, c in zip(NAMES, told.supernodes, strict=True)]
        all_.run(told.start)
        all_.wait(lambda: len(rounds(tmp_path)) >= 1, 240)
        kill(nodes[1])
        all_.wait((tmp_path / "final" / "model.json").exists, 300)
    assert started_in(tmp_path) == []
    noted = rounds(tmp_path)
    assert noted[0]["answered"] == list(NAMES)
    assert "south" not in noted[-1]["answered"]

    def answering(round_, ids):
        return (ids[:, None] == ids.new_tensor(places(noted[round_]))).any(1)

    end = load_model(tmp_path / "final")
    assert float((weights(end) - twin(made, step, answering)).abs().max()) < 1e-5
    assert [r.name for r in end.lineage] == ["start", "federated"]
    assert end.lineage[-1].claim.reads_data


def rounds(folder):
    path = folder / "rounds.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def places(round_):
    return [NAMES.index(name) for name in round_["answered"]]


def is_open(port):
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0
