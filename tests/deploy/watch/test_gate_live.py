"""`fivefold gate --live`: what is live is one more stage of the run, and nothing passes in silence."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from shipping import Shipped, live_of_requests

from fivefold.cli.main import answer
from fivefold.core.errors import BadInput
from fivefold.core.evidence import Axis, Missing
from fivefold.core.text import text
from fivefold.deploy.watch import Live, judge_live, run_of
from fivefold.deploy.watch.live import seal_live
from fivefold.recipe import read_run
from fivefold.report import Verdict, policy_from


@pytest.fixture(scope="module")
def live(shipped: Shipped) -> Live:
    return live_of_requests(shipped.digest)


@pytest.fixture
def gate(shipped: Shipped, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Return a function that asks the command line about some live evidence."""

    def asked(live: Live, *words: object, folder: Path | None = None) -> tuple[int, str, str]:
        file = tmp_path / "live.json"
        file.write_text(seal_live(live), encoding="utf-8")
        told = ["gate", folder or shipped.bundle, "--live", file, *words]
        code = answer([str(word) for word in told])
        said = capsys.readouterr()
        return code, said.out, said.err

    return asked


def fresh(live: Live, seconds: float = 0.0) -> Live:
    return replace(live, written=time.time() - seconds)


def judged(shipped: Shipped, live: Live, *limits: dict[str, Any], **policy: Any) -> Verdict:
    told = policy_from({"limits": list(limits), **policy})
    return judge_live(read_run(shipped.run), live, told, now=live.written)


def places(verdict: Verdict) -> list[tuple[str, str, str]]:
    return [(c.key, c.stage, c.status) for c in verdict.checks]


@pytest.mark.parametrize("which", ["run", "bundle"])
def test_passes(gate, live, shipped, which):
    code, out, err = gate(fresh(live), "--json", folder=getattr(shipped, which))
    assert code == 0, err
    told = json.loads(out)
    assert [(c["id"], c["stage"], c["status"]) for c in told["checks"]] == [
        ("learning.accuracy", "plain", "PASS"),
        ("security.refusal_rate[queue]", "live", "PASS"),
    ]
    assert told["live"]["digest"] == shipped.digest
    assert told["live"]["requests"] == 200


def test_fails_when_too_much_is_refused(gate, shipped):
    code, out, err = gate(fresh(live_of_requests(shipped.digest, queue=60)))
    assert code == 4
    assert "FAIL" in out
    assert "security.refusal_rate[queue] at live" in err


def test_speaks_chinese_and_junit(gate, shipped, tmp_path):
    live = fresh(live_of_requests(shipped.digest, queue=60))
    code, out, err = gate(live, "--lang", "zh", "--junit", tmp_path / "gate.xml")
    assert code == 4
    assert "实时证据测于" in err
    assert "未通过  live   security.refusal_rate[queue]" in out
    told = (tmp_path / "gate.xml").read_text(encoding="utf-8")
    assert 'classname="live"' in told
    assert '<failure message="0.230769' in told


@pytest.mark.parametrize(
    ("seconds", "words", "code"),
    [
        (3500.0, (), 0),
        (3700.0, (), 4),
        (3700.0, ("--max-age", 90), 0),
        (130.0, ("--max-age", 2), 4),
        (-30.0, (), 0),  # clocks may differ by a minute
        (-90.0, (), 4),
    ],
)
def test_old_and_future_evidence_is_none(gate, live, seconds, words, code):
    assert gate(fresh(live, seconds), *words)[0] == code


def test_what_is_stale_is_missing_and_required_whatever_the_policy_says(shipped, live):
    limits = {"evidence": "security.alarm_rate", "at_most": 0.2, "required": False}
    told = policy_from({"limits": [limits]})
    run = read_run(shipped.run)
    now = judge_live(run, live, told, now=live.written)
    assert places(now) == [("security.alarm_rate", "live", "MISSING")]
    assert now.passed
    later = judge_live(run, live, told, now=live.written + 7200)
    assert not later.passed
    assert "120 minutes ago and may be 60 old" in str(later.checks[0].reason)
    sooner = judge_live(run, live, told, now=live.written - 7200)
    assert not sooner.passed
    assert "future" in str(sooner.checks[0].reason)
    assert not judge_live(run, live, told, now=live.written, oldest=float("nan")).passed


def test_a_limit_without_a_stage_goes_where_the_evidence_is(shipped, live):
    verdict = judged(
        shipped,
        live,
        {"evidence": "learning.accuracy", "at_least": 0.5},
        {"evidence": "privacy.epsilon", "at_most": 1.0},
        {"evidence": "efficiency.latency_p95", "at_most": 5.0},
        {"evidence": "learning.accuracy", "at_least": 0.5, "stage": "*"},
    )
    assert places(verdict) == [
        ("learning.accuracy", "live", "PASS"),
        ("privacy.epsilon", "plain", "FAIL"),
        ("efficiency.latency_p95[live]", "live", "PASS"),
        ("learning.accuracy", "plain", "PASS"),
    ]


def test_the_fall_since_shipping_is_judged(shipped):
    limit = {"evidence": "learning.accuracy", "max_drop": 0.15}
    good = judged(shipped, live_of_requests(shipped.digest, right=0.9), limit)
    bad = judged(shipped, live_of_requests(shipped.digest, right=0.7), limit)
    assert places(good) == [("learning.accuracy", "live", "PASS")]
    assert places(bad) == [("learning.accuracy", "live", "FAIL")]
    assert bad.checks[0].against == "plain"
    assert bad.checks[0].value == pytest.approx(-0.2)


def test_a_bare_name_means_every_setting_even_those_that_are_missing(shipped, live):
    verdict = judged(shipped, live, {"evidence": "generalization.drift", "at_most": 0.5})
    keys = [f.key for f in live.findings if f.name == "drift"]
    assert len(keys) == 3
    assert places(verdict) == [(key, "live", "MISSING") for key in keys]
    assert not verdict.passed


def test_nothing_else_answers_for_a_number_that_is_missing_live(shipped, live):
    gone = Missing(axis=Axis.LEARNING, name="accuracy", reason=text("Nobody knows."))
    rest = tuple(f for f in live.findings if f.name != "accuracy")
    verdict = judged(
        shipped, replace(live, findings=(*rest, gone)), {"evidence": "learning.accuracy", "at_least": 0.1}
    )  # fmt: skip
    assert places(verdict) == [("learning.accuracy", "live", "MISSING")]
    assert not verdict.passed


@pytest.mark.parametrize("stage", [{}, {"stage": "plain"}])
def test_a_policy_silent_about_live_evidence_is_refused(gate, live, tmp_path, stage):
    file = tmp_path / "silent.toml"
    line = "".join(f'{k} = "{v}"\n' for k, v in stage.items())
    file.write_text(f'[[limits]]\nevidence = "privacy.epsilon"\nat_most = 9.0\n{line}')
    code, _, err = gate(fresh(live), "--policy", file)
    assert code == 3
    assert "says nothing about live evidence" in err
    assert "efficiency.throughput" in err


def test_a_misspelt_limit_is_refused_with_its_line(gate, live, tmp_path):
    file = tmp_path / "misspelt.toml"
    file.write_text('[[limits]]\nevidence = "security.refusal_rat"\nat_most = 0.1\n')
    code, _, err = gate(fresh(live), "--policy", file)
    assert code == 3
    assert "security.refusal_rate" in err
    assert "misspelt.toml:2" in err


def test_evidence_of_another_bundle_is_damage(gate, live):
    code, _, err = gate(replace(fresh(live), digest="0" * 64))
    assert code == 5
    assert "another bundle" in err
    assert gate(replace(fresh(live), digest=""))[0] == 5


@pytest.mark.parametrize("changes", [{"run": "other"}, {"stage": "other"}, {"run": ""}])
def test_evidence_of_another_run_is_refused(gate, live, shipped, changes):
    code, _, err = gate(replace(fresh(live), **changes), folder=shipped.run)
    assert code == 3
    assert "not of toy" in err


def test_a_run_with_a_stage_called_live_is_refused(shipped, live):
    run = read_run(shipped.run)
    taken = replace(run, stages=(*run.stages, replace(run.stages[-1], name="live")))
    with pytest.raises(BadInput, match="stage called"):
        judge_live(taken, live, policy_from(run.recipe["policy"]), now=live.written)


def test_a_bundle_does_not_answer_for_other_stages(shipped, live):
    told = policy_from(
        {
            "limits": [
                {"evidence": "learning.accuracy", "at_least": 0.1, "stage": "start"},
                {"evidence": "learning.accuracy", "max_drop": 0.5, "stage": "plain"},
                {"evidence": "learning.accuracy", "max_drop": 0.5},
            ]
        }
    )
    verdict = judge_live(run_of(shipped.bundle), live, told, now=live.written)
    assert [(c.stage, c.status) for c in verdict.checks] == [
        ("start", "MISSING"),
        ("plain", "MISSING"),
        ("live", "PASS"),
    ]
    assert "judge its run instead" in str(verdict.checks[0].reason)


def test_a_changed_bundle_is_refused(gate, live, shipped, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(shipped.bundle, copy)
    file = copy / "evidence.json"
    file.write_text(file.read_text().replace("0.9", "0.8", 1))
    assert gate(fresh(live), folder=copy)[0] == 5
