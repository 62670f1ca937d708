"""Open Inference Protocol v2, asked by a client that was not written here (tritonclient)."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from serving import Server, running
from toy_served import toy_model

http = pytest.importorskip("tritonclient.http")
InferenceServerException = pytest.importorskip("tritonclient.utils").InferenceServerException
X = np.array([[0.5, 1, 30], [0.0, 2, 120], [1.0, 0, 0]], dtype=np.float32)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as one:
        yield one


@pytest.fixture
def client(server: Server) -> Iterator[Any]:
    one = http.InferenceServerClient(f"127.0.0.1:{server.port}")
    yield one
    one.close()


def tensor(x: np.ndarray, *, binary: bool, name: str = "input", kind: str = "FP32") -> Any:
    one = http.InferInput(name, list(x.shape), kind)
    one.set_data_from_numpy(x, binary_data=binary)
    return one


def expected() -> np.ndarray:
    return toy_model().predict(torch.from_numpy(X)).numpy()


def test_health(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("toy")
    assert client.is_model_ready("toy", "1")
    assert not client.is_model_ready("nobody")
    assert not client.is_model_ready("toy", "2")


def test_metadata(client: Any) -> None:
    assert client.get_server_metadata()["name"] == "fivefold"
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    told = client.get_model_metadata("toy")
    assert told == client.get_model_metadata("toy", "1")
    assert told["inputs"] == [{"name": "input", "datatype": "FP32", "shape": [-1, 3]}]
    assert [o["name"] for o in told["outputs"]] == ["label", "probabilities", "logits"]
    assert told["versions"] == ["1"]


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
def test_infer_in_json_and_in_bytes(client: Any, binary_in: bool, binary_out: bool) -> None:
    wanted = [http.InferRequestedOutput(n, binary_data=binary_out) for n in ("logits", "label")]
    found = client.infer("toy", [tensor(X, binary=binary_in)], outputs=wanted, request_id="abc")
    np.testing.assert_allclose(found.as_numpy("logits"), expected(), atol=1e-6)
    labels = [w.decode() if isinstance(w, bytes) else w for w in found.as_numpy("label")]
    assert labels == [("no", "yes")[i] for i in expected().argmax(1)]
    assert found.get_response()["id"] == "abc"
    assert found.get_response()["model_version"] == "1"


def test_usual_outputs_are_labels_and_probabilities(client: Any) -> None:
    found = client.infer("toy", [tensor(X, binary=True)])
    np.testing.assert_allclose(found.as_numpy("probabilities").sum(1), 1, atol=1e-6)
    assert [o["name"] for o in found.get_response()["outputs"]] == ["label", "probabilities"]


@pytest.mark.parametrize("kind", ["FP64", "INT32", "INT64", "UINT8", "FP16"])
def test_other_numbers_are_taken(client: Any, kind: str) -> None:
    types = {"FP64": "f8", "INT32": "i4", "INT64": "i8", "UINT8": "u1", "FP16": "f2"}
    x = np.array([[1, 2, 30]], dtype=types[kind])
    found = client.infer("toy", [tensor(x, binary=True, kind=kind)])
    again = client.infer("toy", [tensor(x.astype("f4"), binary=False)])
    np.testing.assert_array_equal(found.as_numpy("probabilities"), again.as_numpy("probabilities"))


@pytest.mark.parametrize("binary", [True, False])
def test_one_input_per_column(client: Any, binary: bool) -> None:
    kinds = np.array([b"plain", b"strong", b"mild"], dtype=object)
    inputs = [
        tensor(X[:, 2].copy(), binary=binary, name="age"),
        tensor(kinds, binary=binary, name="kind", kind="BYTES"),
        tensor(X[:, :1].copy(), binary=binary, name="dose"),
    ]
    wanted = [http.InferRequestedOutput("logits")]
    found = client.infer("toy", inputs, outputs=wanted)
    np.testing.assert_allclose(found.as_numpy("logits"), expected(), atol=1e-6)


@pytest.mark.parametrize(
    ("inputs", "status"),
    [
        ([("input", X[:, :2], "FP32")], "400"),
        ([("input", X[:0], "FP32")], "400"),
        ([("nobody", X[:, 0], "FP32")], "422"),
        ([("dose", X[:, 0], "FP32"), ("dose", X[:, 0], "FP32")], "400"),
        ([("dose", X[:, 0], "FP32")], "422"),
        ([("dose", X[:, 0], "FP32"), ("age", X[:2, 0], "FP32")], "400"),
        ([("input", np.array([[np.nan, 1, 1]], dtype="f4"), "FP32")], "422"),
    ],
)
def test_errors_are_told_as_the_protocol_wants(client: Any, inputs: Any, status: str) -> None:
    given = [tensor(np.ascontiguousarray(x), binary=True, name=n, kind=k) for n, x, k in inputs]
    with pytest.raises(InferenceServerException) as refused:
        client.infer("toy", given)
    assert refused.value.status() == status
    assert refused.value.message()


def test_an_unknown_model_is_not_found(client: Any) -> None:
    with pytest.raises(InferenceServerException) as refused:
        client.infer("nobody", [tensor(X, binary=True)])
    assert refused.value.status() == "404"


def test_a_version_may_be_named(client: Any) -> None:
    found = client.infer("toy", [tensor(X, binary=True)], model_version="1")
    assert found.get_response()["model_version"] == "1"
    with pytest.raises(InferenceServerException) as refused:
        client.infer("toy", [tensor(X, binary=True)], model_version="7")
    assert refused.value.status() == "404"


def test_a_request_without_an_id_gets_one(client: Any) -> None:
    ids = [client.infer("toy", [tensor(X, binary=True)]).get_response()["id"] for _ in range(3)]
    assert len(set(ids)) == 3
    assert all(ids)


def test_a_missing_number_of_an_optional_column_is_null(server: Server) -> None:
    one = {"name": "input", "datatype": "FP32", "shape": [1, 3], "data": [0.5, 1, None]}
    assert server.ask(body={"inputs": [one]}).status == 200


def test_data_may_be_nested_lists(server: Server) -> None:
    wanted = [{"name": "logits"}]
    nested = {"name": "input", "datatype": "FP32", "shape": [3, 3], "data": X.tolist()}
    flat = nested | {"data": X.flatten().tolist()}
    told = [server.ask(body={"inputs": [one], "outputs": wanted}).told for one in (nested, flat)]
    assert told[0]["outputs"] == told[1]["outputs"]


def test_all_outputs_may_be_asked_for_in_bytes(server: Server) -> None:
    one = {"name": "input", "datatype": "FP32", "shape": [3, 3], "data": X.flatten().tolist()}
    asked = {"inputs": [one], "parameters": {"binary_data_output": True}}
    found = server.ask(body=asked)
    head = int(found.headers["inference-header-content-length"])
    assert isinstance(found.told, bytes)
    assert b'"binary_data_size":24' in found.told[:head]
    assert len(found.told) == head + 3 * (4 + len("no")) + 3 * 2 * 4 + expected().argmax(1).sum()


@pytest.mark.parametrize("rows", [1, 100])
def test_probabilities_are_the_softmax_of_the_logits(server: Server, rows: int) -> None:
    data = X[:1].repeat(rows, 0)
    one = {"name": "input", "datatype": "FP32", "shape": [rows, 3], "data": data.flatten().tolist()}
    asked = {"inputs": [one], "outputs": [{"name": "probabilities"}, {"name": "logits"}]}
    shares, logits = (np.array(o["data"]) for o in server.ask(body=asked).told["outputs"])
    raised = np.exp(logits.reshape(rows, -1))
    np.testing.assert_allclose(
        shares.reshape(rows, -1), raised / raised.sum(1, keepdims=True), atol=1e-6
    )
