"""How answers are put into words."""

import json

import numpy as np
import pytest

from fivefold.core.task import Task
from fivefold.deploy.server.call import Answer, Call
from fivefold.deploy.server.tell import Telling


def told(logits: list[list[float]]) -> Call:
    answer = Answer(outputs=np.array(logits, dtype=np.float32))
    call = Call(scope={}, headers={}, verb="infer", started=0.0)
    call.answer, call.asked = answer, {}
    return call


def test_an_answer_names_its_class_and_its_shares():
    said = json.loads(Telling("m", "1", Task(classes=("no", "yes"))).tell(told([[0.0, 1.0]])).body)
    label, shares = said["outputs"]
    assert label["data"] == ["yes"]
    assert shares["data"][1] == pytest.approx(1 / (1 + np.exp(-1)), rel=1e-6)


@pytest.mark.parametrize("logits", [[[np.nan, 1.0]], [[0.0, 1.0], [1.0, np.nan]]])
def test_what_is_no_number_is_no_answer(logits):
    with pytest.raises(ValueError, match="no number"):
        Telling("m", "1", Task(classes=("no", "yes"))).tell(told(logits))
