import json
import re
from dataclasses import replace

from fivefold.report import judge, model_card, policy_from
from report.made_up import POLICY


def metrics(card: str) -> list[dict[str, object]]:
    """Read the metrics of the front matter, which is one scalar per line."""
    front = card.split("---\n")[1].partition("    metrics:\n")[2]
    rows = re.split(r"^    - ", front, flags=re.MULTILINE)[1:]
    pairs = [[line.strip().split(": ", 1) for line in row.splitlines()] for row in rows]
    return [{key: json.loads(value) for key, value in row} for row in pairs]


def test_the_model_index_holds_every_finite_number_of_the_stage(run):
    found = metrics(model_card(run, stage="private"))
    wanted = {e.key: e.value for e in run.stage("private").evidence}
    assert {m["name"]: m["value"] for m in found} == wanted
    assert all(m["verified"] is False for m in found)


def test_an_infinite_epsilon_is_told_in_words_but_not_as_a_metric(run):
    card = model_card(run, stage="plain")
    assert not any(str(m["name"]).startswith("privacy.epsilon") for m in metrics(card))
    assert "| privacy | epsilon (delta 1e-05) | ∞ |" in card


def test_the_body_tells_bounds_reasons_costs_and_the_gate(run):
    card = model_card(run, judge(run, policy_from(POLICY)), stage="robust")
    assert "| learning | accuracy | 0.936 | \\[0.888, 0.964\\] | higher | 171 |" in card
    assert "Policy **failed**: 5 of 7" in card
    assert "AdversarialTraining (robust, against plain)" in card
    assert "Attribution drift: " in card
    assert "**plain** learning.Finetune" in card


def test_hostile_names_stay_words(run):
    hostile = 'x"\n---\nevil: 1 | <img src=x onerror=alert(1)>'
    card = model_card(replace(run, name=hostile, data=replace(run.data, name=hostile)))
    assert "<img" not in card.split("---\n", 2)[2]
    assert not re.search(r"^evil", card, flags=re.MULTILINE)
