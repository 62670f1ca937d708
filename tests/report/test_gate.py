import json
from dataclasses import replace
from xml.etree.ElementTree import fromstring

import pytest

from fivefold.core.errors import BadRecipe, GateFailed
from fivefold.report import judge, junit, policy_from, read_policy
from fivefold.report.verdict import SCHEMA
from report.made_up import POLICY, made_up


def verdict(run, **limit):
    return judge(run, policy_from({"limits": [limit]}))


def only(run, **limit):
    (check,) = verdict(run, **limit).checks
    return check


ACCURACY, ROBUST, EPSILON = "learning.accuracy", "generalization.robust_accuracy", "privacy.epsilon"


@pytest.mark.parametrize(
    ("limit", "status"),
    [
        ({"evidence": ACCURACY, "stage": "plain", "at_least": 0.92}, "PASS"),
        (
            {"evidence": ACCURACY, "stage": "plain", "at_least": 0.95},
            "FAIL",
        ),  # 0.965 [0.926, 0.984]
        ({"evidence": ACCURACY, "stage": "plain", "at_most": 0.99}, "PASS"),
        ({"evidence": ACCURACY, "stage": "plain", "at_most": 0.97}, "FAIL"),
        ({"evidence": ACCURACY, "stage": "robust", "max_drop": 0.2}, "PASS"),
        (
            {"evidence": ACCURACY, "stage": "robust", "max_drop": 0.03},
            "FAIL",
        ),  # the point falls by 0.029
        ({"evidence": "efficiency.size", "stage": "int8", "max_rise": 0.0}, "PASS"),
        ({"evidence": "privacy.membership_auc", "stage": "plain", "max_rise": 0.1}, "FAIL"),
        ({"evidence": ACCURACY, "stage": "int8", "max_drop": 0.2, "against": "plain"}, "PASS"),
        ({"evidence": EPSILON, "stage": "private", "at_most": 3.0}, "PASS"),
        ({"evidence": EPSILON, "stage": "plain", "at_most": 1e9}, "FAIL"),
        ({"evidence": EPSILON, "stage": "plain", "max_rise": 1e9}, "FAIL"),
        ({"evidence": ACCURACY, "stage": "start", "max_drop": 0.5}, "MISSING"),
        ({"evidence": "security.detection", "stage": "int8", "at_least": 0.5}, "MISSING"),
        ({"evidence": "security.extraction_fidelity", "stage": "int8", "at_most": 0.99}, "MISSING"),
        ({"evidence": "security.extraction_fidelity", "stage": "int8", "max_rise": 0.1}, "MISSING"),
        (
            {"evidence": "explanation.attribution_agreement", "stage": "int8", "at_least": 0.9},
            "PASS",
        ),
        (
            {"evidence": "explanation.attribution_agreement", "stage": "int8", "max_drop": 0.9},
            "MISSING",
        ),
    ],
)
def test_the_truth_table(run, limit, status):
    assert only(run, **limit).status == status
    assert verdict(run, **limit).passed == (status == "PASS")


def test_a_point_that_passes_does_not_help_a_bound_that_fails(run):
    check = only(run, evidence=ACCURACY, stage="plain", at_least=0.95)
    assert check.value and check.judged
    assert check.value > check.limit > check.judged == check.low
    check = only(run, evidence=ACCURACY, stage="robust", max_drop=0.03)
    assert check.value and check.judged
    assert -check.value < check.limit < -check.judged


def test_a_missing_number_passes_only_if_it_is_not_required(run):
    missing = {"evidence": "security.detection", "stage": "int8", "at_least": 0.5}
    assert not verdict(run, **missing).passed
    relaxed = verdict(run, **missing, required=False)
    assert relaxed.passed
    assert relaxed.checks[0].status == "MISSING"
    assert "QuantizedModel" in str(relaxed.checks[0].reason)


def test_a_broken_limit_fails_even_if_the_number_is_not_required(run):
    assert not verdict(run, evidence=ACCURACY, at_least=0.999, required=False).passed


def test_a_name_without_setting_means_every_setting(run):
    checks = verdict(
        run, evidence="security.tpr_at_5_percent_fpr", stage="robust", at_least=0.3
    ).checks
    assert [c.status for c in checks] == ["PASS", "FAIL"]
    assert (
        len(
            verdict(
                run, evidence="security.tpr_at_5_percent_fpr[static]", stage="robust", at_least=0.3
            ).checks
        )
        == 1
    )


def test_a_star_means_every_stage_that_a_step_made(run):
    assert [c.stage for c in verdict(run, evidence=ACCURACY, stage="*", at_least=0.5).checks] == [
        "plain", "private", "robust", "small", "int8",
    ]  # fmt: skip


def test_the_stage_is_the_policys_else_the_last(run):
    limits = [{"evidence": ACCURACY, "at_least": 0.5}]
    assert judge(run, policy_from({"limits": limits})).checks[0].stage == "int8"
    assert judge(run, policy_from({"limits": limits, "stage": "small"})).checks[0].stage == "small"


def test_two_rules_of_one_limit_are_two_checks(run):
    checks = verdict(run, evidence=ACCURACY, stage="plain", at_least=0.9, at_most=0.95).checks
    assert [(c.rule, c.status) for c in checks] == [("at_least", "PASS"), ("at_most", "FAIL")]


def test_a_failed_gate_raises_with_exit_status_4(run):
    failed = judge(run, policy_from(POLICY))
    with pytest.raises(GateFailed, match=r"2 of 7.*FAIL privacy.epsilon") as error:
        failed.raise_for_status()
    assert error.value.code == 4
    verdict(run, evidence=ACCURACY, at_least=0.5).raise_for_status()


def test_the_wire_form_is_json_without_infinities(run):
    told = json.loads(json.dumps(judge(run, policy_from(POLICY)).to_dict(), allow_nan=False))
    assert told["schema"] == SCHEMA == "fivefold.gate/1"
    assert told["passed"] is False
    assert {c["status"] for c in told["checks"]} == {"PASS", "FAIL", "MISSING"}
    assert told["checks"][4]["judged"] == "inf"


def test_junit_counts_what_the_verdict_counts(run):
    hostile = replace(run, name="\x00<&>\x1b")
    limits = [
        *POLICY["limits"],
        {"evidence": "security.detection", "stage": "int8", "at_least": 0.5, "required": False},
    ]
    suite = fromstring(junit(judge(hostile, policy_from(POLICY | {"limits": limits}))))[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("8", "2", "1")
    assert len(suite.findall("testcase/failure")) == 2
    assert len(suite.findall("testcase/skipped")) == 1
    assert suite.get("name") == "\ufffd<&>\ufffd"


def test_the_notebook_shows_every_check(run):
    html = judge(run, policy_from(POLICY))._repr_html_()
    assert html.count("ff-badge PASS") == 5
    assert "FAIL" in html and "MISSING" in html


POLICY_TOML = """stage = "small"

[[limits]]
evidence = "learning.accuracy"
at_least = 0.9

[[limits]]
evidence = "learning.{name}"
{field} = {value}
"""


def written(tmp_path, name="accuracy", field="at_most", value="1.0"):
    path = tmp_path / "policy.toml"
    path.write_text(POLICY_TOML.format(name=name, field=field, value=value), encoding="utf-8")
    return path


def test_a_policy_file_is_read(tmp_path, run):
    policy = read_policy(written(tmp_path))
    assert (policy.stage, len(policy.limits)) == ("small", 2)
    assert len(judge(run, policy).checks) == 2


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("at_lest", "0.9", "at_least"),
        ("at_least", '"0.9"', "does not fit"),
        ("at_least", "nan", "finite"),
        ("max_drop", "-0.1", "negative"),
        ("stage", '"plain"', "limits nothing"),
    ],
)
def test_a_bad_limit_is_refused_with_its_line(tmp_path, field, value, told):
    with pytest.raises(BadRecipe, match=told) as error:
        read_policy(written(tmp_path, field=field, value=value))
    assert "policy.toml:" in error.value.where


def test_an_unknown_name_is_refused_with_the_closest_one(tmp_path, run):
    with pytest.raises(BadRecipe, match=r"Did you mean learning\.accuracy") as error:
        judge(run, read_policy(written(tmp_path, name="acuracy")))
    assert "policy.toml:8" in error.value.where


@pytest.mark.parametrize("limit", [{"stage": "smal"}, {"against": "smal"}])
def test_an_unknown_stage_is_refused_with_the_closest_one(run, limit):
    with pytest.raises(BadRecipe, match="Did you mean small"):
        verdict(run, evidence=ACCURACY, max_drop=0.1, **limit)
    with pytest.raises(BadRecipe, match="Did you mean small"):
        judge(
            run, policy_from({"stage": "smal", "limits": [{"evidence": ACCURACY, "at_least": 0.1}]})
        )


@pytest.mark.parametrize(
    "table", [{}, {"limits": []}, {"limits": "x"}, {"limits": ["x"]}, {"limits": [{}]}]
)
def test_an_empty_policy_is_refused(table):
    with pytest.raises(BadRecipe):
        policy_from(table)


def test_a_policy_has_no_other_keys():
    with pytest.raises(BadRecipe, match="has no stages"):
        policy_from({"stages": "x", "limits": [{"evidence": ACCURACY, "at_least": 0.1}]})


def test_a_number_that_no_probe_of_this_run_makes_is_missing(monkeypatch):
    monkeypatch.setattr("fivefold.report.gate.chinese", lambda: {"forgetting": "遗忘"})
    assert only(made_up(), evidence="learning.forgetting", at_most=0.1).status == "MISSING"
