"""`fivefold serve` of a real bundle, from the command line."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from serving import Server, command, until_ready
from toy_run import toy_run

from fivefold.core.data import Dataset
from fivefold.core.errors import BadInput
from fivefold.deploy import guard_papers, write_bundle
from fivefold.deploy.ledger import verify_ledger
from fivefold.deploy.server import check_address
from fivefold.models import TorchModel


@pytest.fixture
def bundle(table: Dataset, untrained: TorchModel, trained: TorchModel, tmp_path: Path) -> Path:
    run = toy_run(table, untrained, trained)
    papers = guard_papers(trained, table.splits.seen)
    write_bundle(run, "plain", trained, tmp_path / "b", papers=papers)
    return tmp_path / "b"


@pytest.fixture
def served(bundle: Path, tmp_path: Path) -> Iterator[Server]:
    process = command(bundle, "--port", 0, "--json", "--state", tmp_path / "state")
    assert process.stdout is not None
    try:
        told = ""
        for line in process.stdout:
            told += line
            if line.startswith("}"):
                break
        port = int(json.loads(told)["url"].rsplit(":", 1)[1])
        server = Server(port, process)  # type: ignore[arg-type]
        until_ready(server)
        yield server
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.communicate(timeout=10)


def test_serves_explains_records_and_ends_well(served: Server, tmp_path: Path) -> None:
    one = {"name": "input", "datatype": "FP32", "shape": [1, 6], "data": [0.1] * 6}
    answer = served.ask("/v2/models/toy/infer", {"inputs": [one]})
    assert answer.status == 200
    assert answer.told["outputs"][0]["data"][0] in ("no", "yes")
    why = served.ask("/v2/models/toy/explain", {"inputs": [one]}).told
    assert why["features"] == [f"c{i}" for i in range(6)]
    assert why["converged"] == [True]
    assert why["method"]
    far = one | {"data": [4.0, -4.0] * 3}
    refused = served.ask("/v2/models/toy/infer", {"inputs": [far]})
    assert (refused.status, refused.told["reason"]) == (403, "detector")
    assert why["background"].startswith("the centre of each column")
    served.process.terminate()
    assert served.process.wait(20) == 0
    report = verify_ledger(tmp_path / "state" / "audit.sqlite")
    assert report.rows == 3


def test_nobody_listens_to_the_world_without_keys(bundle: Path) -> None:
    process = command(bundle, "--host", "0.0.0.0", "--port", 0)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "needs a key" in said
    check_address("0.0.0.0", has_keys=True)
    with pytest.raises(BadInput):
        check_address("::", has_keys=False)


def test_makes_a_key(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    process = command("--token-file", file, "--make-key", "ann", "--json")
    shown, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert json.loads(shown)["key"].startswith("ff_")
    assert json.loads(shown)["key"] not in file.read_text()
