"""What can be named, and what it is."""

import pytest
import torch

from fivefold.core.errors import BadInput
from fivefold.core.task import Task
from fivefold.models import TorchModel, open_model, save_model


def test_a_saved_model_opens_for_its_own_data_alone(table, numbers, trained, tmp_path):
    save_model(trained, tmp_path)
    found = open_model(str(tmp_path), task=table.task, schema=table.schema)
    assert isinstance(found, TorchModel)
    x = table.splits.test.x
    assert torch.equal(found.predict(x), trained.predict(x))
    with pytest.raises(BadInput, match="other data"):
        open_model(str(tmp_path), task=table.task, schema=numbers.schema)
    with pytest.raises(BadInput, match="other data"):
        open_model(str(tmp_path), task=Task(classes=("yes", "no")), schema=table.schema)


@pytest.mark.parametrize("named", ["", "nothing", ".", "gone.onnx", "a b:c", "ftp://host/model", "\0.onnx"])  # fmt: skip
def test_an_unknown_thing_is_refused(named, table):
    with pytest.raises(BadInput):
        open_model(named, task=table.task, schema=table.schema)
