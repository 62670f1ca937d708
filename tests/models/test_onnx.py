"""ONNX files: the same numbers as the network they came from, and nothing read outside their folder."""

from typing import Any

import numpy as np
import onnx
import pytest
import torch
from hostile import payload
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from fivefold.core.data import Dataset
from fivefold.core.errors import BadInput, Damaged
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.models import open_model

F, WHOLE, S = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING
TABLE = Schema(
    columns=(
        Column(name="job title", kind="category", categories=("baker", "nurse"), is_optional=True),
        Column(name="age", low=0, high=100),
        Column(name="rooms", kind="integer", low=0, high=9),
    ),
    shape=(3,),
)
TASK = Task(classes=("yes", "no"))


def value(name: str, kind: int, *shape: Any) -> Any:
    return helper.make_tensor_value_info(name, kind, list(shape))


def model(nodes: Any, inputs: Any, outputs: Any, weights: Any = ()) -> Any:
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(weights))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def weight(name: str, values: Any) -> Any:
    return numpy_helper.from_array(np.asarray(values, dtype=np.float32), name)


def written(path, made):
    path.write_bytes(made.SerializeToString())
    return str(path)


def linear(net: nn.Linear, batch: Any = None, last: str = "") -> Any:
    nodes = [helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1)]
    nodes += [helper.make_node(last, ["y"], ["p"])] if last else []
    out = "p" if last else "y"
    weights = [weight("w", net.weight.detach()), weight("b", net.bias.detach())]
    x, y = value("x", F, batch, net.in_features), value(out, F, batch, net.out_features)
    return model(nodes, [x], [y], weights)


def opened(path: str, data: Dataset, **more: Any):
    return open_model(path, task=data.task, schema=data.schema, **more)


@pytest.mark.parametrize("last", ["", "Softmax"])
@pytest.mark.parametrize("batch", [None, 1, 64])
def test_answers_as_the_network_does(table, batch, last, tmp_path):
    net = nn.Linear(6, 2)
    found = opened(written(tmp_path / "m.onnx", linear(net, batch, last)), table)
    x = table.splits.test.x
    assert torch.allclose(found.predict(x).log_softmax(-1), net(x).log_softmax(-1), atol=1e-5)
    assert found.predict(x[:0]).shape == (0, 2)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_what_torch_exports_opens(images, tmp_path):
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3)).eval()
    sizes = ({0: torch.export.Dim("batch")},)
    made = torch.onnx.export(net, (torch.zeros(2, 1, 8, 8),), dynamo=True, dynamic_shapes=sizes)
    assert made is not None
    made.save(tmp_path / "m.onnx", external_data=True)
    assert (tmp_path / "m.onnx.data").exists()
    x = images.splits.test.x
    found = opened(str(tmp_path / "m.onnx"), images).predict(x)
    assert torch.allclose(found, net(x), atol=1e-5)


def pipeline(zipmap: bool) -> Any:
    """A pipeline as skl2onnx writes it: one input per column, strings among them."""
    ml = {"domain": "ai.onnx.ml"}
    nodes = [
        helper.make_node("OneHotEncoder", ["job_title"], ["hot"], cats_strings=["baker", "nurse"], zeros=1, **ml),
        helper.make_node("Reshape", ["hot", "two"], ["flat"]),
        helper.make_node("Cast", ["rooms"], ["whole"], to=F),
        helper.make_node("Concat", ["flat", "age", "whole"], ["all"], axis=1),
        helper.make_node("LinearClassifier", ["all"], ["label", "raw"], classlabels_strings=["no", "yes"],
                         coefficients=[1.0, -1, 0.01, 0.1, -1, 1, -0.01, -0.1], intercepts=[0.0, 0.2],
                         post_transform="SOFTMAX", **ml),
    ]  # fmt: skip
    answer = value("raw", F, None, 2)
    if zipmap:
        nodes += [helper.make_node("ZipMap", ["raw"], ["chances"], classlabels_strings=["no", "yes"], **ml)]  # fmt: skip
        kind = helper.make_map_type_proto(S, helper.make_tensor_type_proto(F, []))
        answer = helper.make_value_info("chances", helper.make_sequence_type_proto(kind))
    two = numpy_helper.from_array(np.array([-1, 2], dtype=np.int64), "two")
    inputs = [
        value("rooms", WHOLE, None, 1),
        value("job_title", S, None, 1),
        value("age", F, None, 1),
    ]
    return model(nodes, inputs, [value("label", S, None), answer], [two])


@pytest.mark.parametrize("zipmap", [True, False])
def test_columns_are_fed_by_name_and_classes_put_in_order(zipmap, tmp_path):
    path = written(tmp_path / "m.onnx", pipeline(zipmap))
    x = torch.tensor([[0, 30.0, 2], [1, 60, 5], [torch.nan, 41, 0]])
    told = open_model(path, task=TASK, schema=TABLE).predict(x).softmax(-1)
    job = torch.tensor([[1.0, -1], [-1, 1], [0, 0]])  # the third is missing: neither
    logits = torch.stack([job[:, 0] + 0.01 * x[:, 1] + 0.1 * x[:, 2], -(job[:, 0] + 0.01 * x[:, 1] + 0.1 * x[:, 2]) + 0.2], 1)  # fmt: skip
    assert torch.allclose(told, logits.softmax(-1).flip(-1), atol=1e-5)


def test_a_missing_whole_number_is_an_error(tmp_path):
    found = open_model(written(tmp_path / "m.onnx", pipeline(False)), task=TASK, schema=TABLE)
    with pytest.raises(BadInput, match="rooms"):
        found.predict(torch.tensor([[0.0, 30, torch.nan]]))


def test_a_pipeline_for_other_columns_is_refused(table, tmp_path):
    path = written(tmp_path / "m.onnx", pipeline(True))
    with pytest.raises(BadInput, match="job_title"):
        opened(path, table)
    with pytest.raises(BadInput, match="classes"):
        open_model(path, task=Task(classes=("a", "b")), schema=TABLE)


def test_labels_alone_are_refused(tmp_path):
    made = pipeline(False)
    del made.graph.output[1]
    with pytest.raises(BadInput, match="labels alone"):
        open_model(written(tmp_path / "m.onnx", made), task=TASK, schema=TABLE)


def test_regression_gives_numbers(numbers, tmp_path):
    net = nn.Linear(4, 1)
    x = numbers.splits.test.x
    told = opened(written(tmp_path / "m.onnx", linear(net)), numbers).predict(x)
    assert torch.allclose(told, net(x), atol=1e-5)


def outside(location: str, place: str) -> Any:
    """A model whose weights are said to lie in a file, at each place where ONNX allows tensors."""
    tensor = TensorProto(name="w", data_type=F, dims=[6, 2], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    ends = [value("x", F, None, 6)], [value("y", F, None, 2)]
    if place == "initializer":
        return model([helper.make_node("MatMul", ["x", "w"], ["y"])], *ends, [tensor])
    constant = helper.make_node("Constant", [], ["w"], value=tensor)
    multiply = helper.make_node("MatMul", ["x", "w"], ["y"])
    if place == "constant":
        return model([constant, multiply], *ends)
    inner = helper.make_graph([constant, multiply], "inner", [], [value("y", F, None, 2)])
    yes = numpy_helper.from_array(np.array(True), "yes")
    node = helper.make_node("If", ["yes"], ["y"], then_branch=inner, else_branch=inner)
    return model([node], *ends, [yes])


@pytest.mark.parametrize("place", ["initializer", "constant", "inner graph"])
@pytest.mark.parametrize("location", ["../../etc/passwd", "/etc/passwd", "a/../../secret", "link", "", "gone"])  # fmt: skip
def test_weights_outside_the_folder_are_not_read(table, place, location, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(b"\0" * 48)
    (folder / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(Damaged, match="weights are said"):
        opened(written(folder / "m.onnx", outside(location, place)), table)


def test_what_is_not_onnx_is_refused(table, tmp_path):
    path = tmp_path / "m.onnx"
    whole = linear(nn.Linear(6, 2)).SerializeToString()
    for told in (payload(tmp_path / "canary"), b"", b"\x80\x04", whole[:-9], onnx.ModelProto().SerializeToString()):  # fmt: skip
        path.write_bytes(told)
        with pytest.raises((Damaged, BadInput)):
            opened(str(path), table)
    assert not (tmp_path / "canary").exists()
    with pytest.raises(BadInput, match="takes"):
        opened(written(path, linear(nn.Linear(5, 2))), table)
