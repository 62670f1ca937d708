import csv
import io
import json

import pytest
import torch
from games import of_columns
from searching import FOREVER, found_for

from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.explanation import Counterfactuals
from seeding import seeded

COLUMNS = (
    Column(name="income", scale=20_000.0, low=0.0),
    Column(name="children", kind="integer", low=0, is_immutable=True),
    Column(name="home", kind="category", categories=("rent", "<own>")),
)


@pytest.fixture
def found() -> Counterfactuals:
    def answer(x):
        score = (x[:, 0] - 42_000) / 20_000 + 0.2 * (x[:, 2] == 1)
        return torch.stack([-score, score], 1)

    model = type(of_columns(1, answer))(
        answer, Schema(columns=COLUMNS, shape=(3,)), Task(classes=("deny", "approve"))
    )
    rng = seeded()
    background = torch.stack(
        [60_000 * torch.rand(200, generator=rng), torch.ones(200), torch.arange(200) % 2.0], 1
    )
    x = torch.tensor([[31_000.0, 2.0, 0.0], [40_000.0, 0.0, 0.0], [31_000.0, 2.0, 1.0]])
    return found_for(model, x, background, "approve", seed=0, plausibility=0)


def test_a_sentence_says_what_would_have_to_be(found):
    assert found.sentences(0)[0].startswith(
        "If income were 42,100 instead of 31,000, the answer would be approve instead of deny."
    )
    assert (
        "如果 income 为 42,100 而不是 31,000，回答将是 approve，而不是 deny。"
        in found.sentences(0, "zh")[0]
    )
    assert any("home were <own> instead of rent" in s for s in found.sentences(1))


def test_json_and_csv_hold_the_same(found, tmp_path):
    told = json.loads(found.to_json(tmp_path / "found.json"))
    lines = list(csv.DictReader(io.StringIO(found.to_csv(tmp_path / "found.csv"))))
    assert json.loads((tmp_path / "found.json").read_text()) == told
    assert (tmp_path / "found.csv").read_text() == found.to_csv()
    assert len(told["rows"]) == 3
    assert told["seconds"] == FOREVER
    first = told["rows"][0]["answers"][0]
    assert first["changes"] == [{"column": "income", "from": 31000.0, "to": 42100.0}]
    assert first["after"] == "approve"
    n_changes = sum(len(a["changes"]) for r in told["rows"] for a in r["answers"])
    assert len(lines) == n_changes
    assert lines[0]["column"] == "income"
    assert float(lines[0]["distance"]) == pytest.approx(first["distance"])


def test_pictures_and_html_show_what_changes(found):
    axes = found.plot(0)
    assert any("31,000 → 42,100" in t.get_text() for t in axes.texts)
    assert "income" in [t.get_text() for t in axes.get_yticklabels()]
    page = found._repr_html_()
    assert "31,000 → 42,100" in page
    assert "&lt;own&gt;" in page
    assert "<own>" not in page


def test_a_row_without_an_answer_says_why():
    model = of_columns(1, lambda x: torch.cat([x * 0, x * 0 + 1], 1), Task(classes=("a", "b")))
    none = found_for(model, torch.ones(1, 1), torch.randn(5, 1, generator=seeded()), seed=0)
    assert "None found" in none.plot(0).texts[0].get_text().replace("\n", " ")
    assert "None found" in none._repr_html_()
    assert json.loads(none.to_json())["rows"][0]["answers"] == []
    assert len(none.to_csv().splitlines()) == 1


def test_a_small_background_cannot_tell_what_is_plausible(found):
    model = of_columns(2, lambda x: x, Task(classes=("a", "b")))
    x = torch.tensor([[1.0, 0.0]])
    one = found_for(model, x, torch.tensor([[0.0, 2.0]]), seed=0)
    assert one.found[0, 0]
    assert one.outlier.isnan().all()
    assert not one.is_plausible.any()
    assert "too small" in one.sentences(0)[0]
    assert json.loads(one.to_json())["rows"][0]["answers"][0]["is_plausible"] is None
