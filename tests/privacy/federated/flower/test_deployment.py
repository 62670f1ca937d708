"""The folder of a deployment, its keys, a client's rows, and what is refused."""

import socket
import ssl
import stat
import threading
from dataclasses import replace
from importlib.util import find_spec

import pytest
import torch

from fivefold.core.data import Batch
from fivefold.core.errors import BadInput, BadRecipe, Damaged, MissingExtra
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.privacy import Ledger
from fivefold.privacy.federated import (
    ByColumn,
    ClientPrivacy,
    Federated,
    Krum,
    SecureAggregation,
)
from fivefold.privacy.federated.flower import Terms, server_app, share_out, write_deployment
from fivefold.privacy.federated.flower.client import Order, moved
from fivefold.privacy.federated.flower.deployment import (
    Deployment,
    check_deployable,
    read_plan,
    write_plan,
)
from fivefold.privacy.federated.flower.keys import make_keys, public_keys
from fivefold.privacy.federated.flower.rows import rows_for, write_rows
from flower_federation import NAMES, deployment, federation, written
from seeding import seeded

PRIVATE = ClientPrivacy(epsilon=4.0, delta=1e-3)


def test_a_plan_comes_back_as_it_was_with_what_is_none(tmp_path):
    step = Federated(batch_size="all", private=PRIVATE, clients=ByColumn(column="c0"))
    write_plan(deployment(step), tmp_path / "plan.json")
    assert read_plan(tmp_path / "plan.json") == deployment(step)


def test_the_folder_ships_the_app_and_keeps_rows_and_model_out_of_it(tmp_path):
    made = federation(tmp_path)
    written(made, deployment(Federated()), tmp_path)
    shipped = {p.name for p in (tmp_path / "app").rglob("*") if p.is_file()}
    assert shipped == {
        "pyproject.toml", "__init__.py", "client_app.py", "server_app.py", "plan.json"
    }  # fmt: skip
    readme = (tmp_path / "README.md").read_text()
    assert "flower-superlink --host 127.0.0.1 --port 8000 --ssl-ca-certfile" in readme
    assert "--insecure" not in readme
    assert "$" not in readme.replace("$PWD", "")
    with pytest.raises(BadInput, match="already"):
        written(made, deployment(Federated()), tmp_path)


def test_a_private_folder_tells_its_epsilon_in_both_languages(tmp_path):
    made = federation(tmp_path)
    given = deployment(Federated(private=PRIVATE))
    write_deployment(given, made.model, tmp_path / "zh", language="zh")
    written(made, given, tmp_path)
    for readme in (tmp_path / "README.md", tmp_path / "zh" / "README.md"):
        told = readme.read_text()
        assert "epsilon 3." in told or "epsilon 4.0" in told
        assert "0.001" in told
    assert "密钥" in told


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"private": replace(PRIVATE, insecure_seed=3)}, "could remove noise"),
        ({"private": replace(PRIVATE, ledger=Ledger())}, "not be counted"),
        ({"private": replace(PRIVATE, delta=None)}, "delta cannot follow"),
        ({"private": replace(PRIVATE, delta=0.5)}, "published in full"),
        ({"secure": SecureAggregation()}, "mask their updates"),
        ({"aggregate": Krum(), "sampling": "fixed", "rate": 1.0}, "needs at least"),
    ],
)
def test_runs_that_could_not_be_honest_are_refused(changes, said, tmp_path):
    made = federation(tmp_path)
    with pytest.raises(BadInput, match=said):
        check_deployable(deployment(Federated(**changes)), made.model)


def test_a_private_run_does_not_begin_with_a_model_that_has_read_data(tmp_path, trained):
    made = federation(tmp_path)
    given = deployment(Federated(private=PRIVATE))
    check_deployable(given, made.model)
    for model in (made.model.with_lineage(()), trained):
        with pytest.raises(BadRecipe, match="nothing would be guaranteed"):
            check_deployable(given, model)


@pytest.mark.parametrize("names", [("a",), ("a", "a"), ("a", "../b"), ("a", "B"), ("a", "")])
def test_names_that_are_no_names_are_refused(names, tmp_path):
    given = Deployment(step=Federated(), terms=Terms(clients=names))
    with pytest.raises(BadRecipe):
        check_deployable(given, federation(tmp_path).model)


def test_the_certificate_is_believed_by_who_has_the_authority_and_by_nobody_else(tmp_path):
    make_keys(tmp_path, NAMES, "127.0.0.1:1", [])
    keys = tmp_path / "keys"
    for name in ("server.key", "north.key"):
        assert stat.S_IMODE((keys / name).stat().st_mode) == 0o600
    assert shaken(keys, str(keys / "ca.crt"), "localhost")
    assert shaken(keys, str(keys / "ca.crt"), "127.0.0.1")
    assert not shaken(keys, str(keys / "ca.crt"), "example.org")
    assert not shaken(keys, None, "localhost")
    with pytest.raises(BadInput, match="already"):
        make_keys(tmp_path, NAMES, "127.0.0.1:1", ["server"])


def test_each_machine_makes_its_own_keys(tmp_path):
    make_keys(tmp_path, NAMES, "fed.example:8000", ["server", "fed.example"])
    assert shaken(tmp_path / "keys", str(tmp_path / "keys" / "ca.crt"), "fed.example")
    with pytest.raises(BadInput, match="missing"):
        public_keys(tmp_path / "keys", NAMES)
    for name in NAMES:
        make_keys(tmp_path, NAMES, "", ["client", name])
    assert len(set(public_keys(tmp_path / "keys", NAMES))) == len(NAMES)
    (tmp_path / "keys" / "west.pub").write_text((tmp_path / "keys" / "north.pub").read_text())
    with pytest.raises(BadInput, match="same key"):
        public_keys(tmp_path / "keys", NAMES)
    with pytest.raises(BadInput, match="north"):
        make_keys(tmp_path, NAMES, "", ["client", "nobody"])


def shaken(keys, authority, name):
    """Whether a client that trusts `authority` accepts the server under `name`."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(keys / "server.crt", keys / "server.key")
    client = ssl.create_default_context(cafile=authority)
    here, there = socket.socketpair()

    def serve():
        try:
            server.wrap_socket(there, server_side=True).close()
        except (ssl.SSLError, OSError):
            there.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        client.wrap_socket(here, server_hostname=name).close()
    except ssl.SSLError:
        return False
    finally:
        here.close()
        thread.join()
    return True


def test_rows_come_back_as_they_were(tmp_path, images):
    columns = (Column(name="size"), Column(name="kind", kind="category", categories=("a", "b")))
    schema, task = Schema(columns=columns, shape=(2,)), Task(classes=("no", "yes"), target="ill")
    x = torch.tensor([[0.1, 1.0], [torch.nan, 0.0], [1e-7, torch.nan]])
    told = Batch(x, torch.tensor([0, 1, 1]))
    found = rows_for(schema, task, write_rows(told, schema, task, tmp_path / "rows"))
    assert torch.equal(found.x.nan_to_num(-1), x.nan_to_num(-1))  # type: ignore[union-attr]
    assert torch.equal(found.y, told.y)
    seen = images.splits.seen.train
    path = write_rows(seen, images.schema, images.task, tmp_path / "pictures")
    found = rows_for(images.schema, images.task, path)
    assert torch.equal(found.x, seen.x)  # type: ignore[arg-type]
    assert torch.equal(found.y, seen.y)
    with pytest.raises(BadInput, match="shape"):
        rows_for(Schema(shape=(1, 9, 9)), images.task, path)
    with pytest.raises(BadInput, match="no column"):
        rows_for(schema, replace(task, target="other"), tmp_path / "rows.csv")


def test_one_row_of_a_number_is_enough_and_a_gap_is_not(tmp_path):
    schema, task = Schema(columns=(Column(name="a"),), shape=(1,)), Task(kind="regression", target="y")  # fmt: skip
    path = tmp_path / "rows.csv"
    path.write_text("a,y\n1,0.5\n")
    assert rows_for(schema, task, path).y.tolist() == [0.5]
    path.write_text("a,y\n1,\n2,3\n")
    with pytest.raises(BadInput, match="target is missing"):
        rows_for(schema, task, path)


def test_simulated_clients_get_files_of_their_own(tmp_path):
    made = federation(tmp_path / "made")
    train = made.data.splits.seen.train
    files = share_out(Federated(), made.model, train, tmp_path, seeded())
    parts = [rows_for(made.data.schema, made.data.task, tmp_path / f) for f in files.values()]
    assert next(iter(files)) == "client-1"
    assert sum(p.size for p in parts) == train.size
    joined = torch.cat([p.x for p in parts])  # type: ignore[misc]
    assert torch.equal(joined.sort(0).values, train.x.sort(0).values)  # type: ignore[union-attr]


def test_a_client_without_rows_does_not_train(tmp_path):
    made = federation(tmp_path)
    none = made.data.splits.seen.train.take(slice(0, 0))
    with pytest.raises(BadInput, match="no training examples"):
        moved(Federated(), made.model, none, Order(0, 1))


@pytest.mark.skipif(find_spec("flwr") is not None, reason="Flower is installed here")
def test_without_flower_the_line_that_installs_it_is_said(tmp_path):
    with pytest.raises(MissingExtra, match=r"fivefold\[federated\]"):
        server_app(tmp_path / "plan.json")


def test_a_message_is_not_trusted():
    from fivefold.privacy.federated.flower.wire import tensor_in

    class Array:
        stype, data = "numpy.ndarray", b""

    for content in ({}, {"tensors": {"tensors": Array()}}):
        with pytest.raises(Damaged):
            tensor_in(content, "update", torch.zeros(2))
    Array.stype = "safetensors"
    with pytest.raises(Damaged):
        tensor_in({"tensors": {"tensors": Array()}}, "update", torch.zeros(2))
