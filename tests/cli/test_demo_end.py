"""The last two acts of the demo with their real parts: a server process, a file of scikit-learn."""

import pytest

from fivefold.cli import demo_audit, demo_served
from fivefold.cli.bundle import pack
from fivefold.cli.demo import recipe_file
from fivefold.cli.run import perform
from fivefold.cli.voice import Voice
from fivefold.core.evidence import Axis
from fivefold.recipe import read_run


@pytest.mark.slow  # trains the digits of the demo
def test_a_served_bundle_answers_explains_and_refuses(tmp_path, capsys):
    done = perform(recipe_file("digits"), tmp_path, Voice(is_json=True))
    bundle = tmp_path / "digits.bundle"
    pack(done, done.stages[-1].name, bundle, None, False, Voice())
    told = demo_served.show(done, bundle, Voice())
    assert told["ordinary"] == 200
    assert told["explain"] == 200
    assert told["adversarial"][-1] == 403
    assert set(told["adversarial"][:-1]) <= {200}
    assert "with code 0" in capsys.readouterr().err


def test_a_foreign_forest_is_audited_within_its_budget(tmp_path, monkeypatch):
    monkeypatch.setattr(demo_audit, "BUDGET", 6.0)
    run = demo_audit.show(tmp_path, Voice(is_json=True))
    again = read_run(run.folder)
    found = {e.axis for e in again.stages[-1].evidence}
    assert {Axis.LEARNING, Axis.GENERALIZATION} <= found
    missing = {f.key for f in again.stages[-1].findings} - {
        e.key for e in again.stages[-1].evidence
    }
    assert any(key.startswith("privacy.") for key in missing)  # nobody said what it was trained on
    assert (run.folder / "report.html").is_file()
