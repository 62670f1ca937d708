"""Every row of every framework is measured, stated or MISSING, and never measured by accident."""

import re
from dataclasses import replace

import pytest

from fivefold.core.errors import BadInput
from fivefold.core.evidence import Axis, Missing
from fivefold.core.lineage import Claim, Record
from fivefold.core.task import Task
from fivefold.core.text import text
from fivefold.report.exports import (
    FRAMEWORKS,
    evidence_markdown,
    evidence_page,
    ml_bom,
    sheet,
    subject_of,
    to_dict,
)
from fivefold.report.exports.sheet import DISCLAIMER, STATES
from fivefold.report.exports.tables import framework

BOTH = ("en", "zh")
PROMISES = re.compile(
    r"complian|compl(?:y|ies)|conform|certif|accredit|guarantee[sd] (?:legal|safe)|合规|符合|认证|达标|合格",
    re.IGNORECASE,
)


def row(name, subject, wanted):
    return next(a for a in sheet(name, subject, "en").answers if a.id == wanted)


@pytest.mark.parametrize("language", BOTH)
@pytest.mark.parametrize("name", FRAMEWORKS)
def test_every_row_of_a_real_run_is_in_one_of_three_states(name, language, subject):
    answered = sheet(name, subject, language)
    demands = framework(name).demands
    assert [a.id for a in answered.answers] == [d.id for d in demands]
    for answer, demand in zip(answered.answers, demands, strict=True):
        assert answer.state in STATES
        n = len(answer.evidence) + len(answer.recorded) + len(answer.stated) + len(answer.lacking)
        assert n >= bool(demand.evidence) + len(demand.facts) + len(demand.statements)
        assert all(lack.mend and lack.name for lack in answer.lacking)
    assert sum(answered.counts[s] for s in STATES) == len(demands)
    assert answered.counts["measured"] > 0 < answered.counts["MISSING"]


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_an_empty_run_measures_nothing(name, empty):
    answered = sheet(name, empty, "en")
    demands = framework(name).demands
    for answer, demand in zip(answered.answers, demands, strict=True):
        assert not answer.evidence
        if demand.evidence or demand.needs or not demand.facts:
            assert answer.state == "MISSING"
    assert {a.state for a in answered.answers if a.state != "MISSING"} <= {"measured"}
    known = {r.key for a in answered.answers for r in a.recorded}
    assert known <= {"model.task"}  # what is predicted is known before anything is done


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_words_alone_never_count_as_measured(name, empty, stated):
    told = sheet(name, empty._replace(statements=stated.statements), "en")
    for answer, demand in zip(told.answers, framework(name).demands, strict=True):
        if demand.evidence and demand.statements:
            assert answer.state == "stated"
            assert answer.is_partial
        elif demand.evidence:
            assert answer.state == "MISSING"


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_records_do_not_answer_what_the_author_must_say(name, subject, stated):
    wanted = [d.id for d in framework(name).demands if d.needs == "statement"]
    assert wanted
    before = {a.id: a.state for a in sheet(name, subject, "en").answers}
    after = {a.id: a.state for a in sheet(name, stated, "en").answers}
    assert {before[i] for i in wanted} == {"MISSING"}
    assert {after[i] for i in wanted} == {"stated"}


def test_a_number_keeps_its_bounds_and_says_how_to_make_it_again(subject):
    accuracy = next(e for e in subject.stage.evidence if e.name == "accuracy")
    told = to_dict(sheet("annex-iv", subject, "en"))
    rows = {r["id"]: r for s in told["sections"] for r in s["rows"]}
    shown = next(m for m in rows["2g"]["measured"] if m["key"] == "learning.accuracy")
    assert [shown[k] for k in ("value", "low", "high", "n")] == [accuracy.value, accuracy.low, accuracy.high, accuracy.n]  # fmt: skip
    assert shown["stage"] == "plain"
    assert shown["command"] == "fivefold run recipe.toml"
    assert shown["recipe_sha256"] == subject.recipe_hash()


def test_a_row_that_is_answered_in_part_says_what_is_lacking(subject):
    found = row("annex-iv", subject, "2g")
    assert found.state == "measured"
    assert found.is_partial
    robust = next(m for m in found.lacking if "robust_accuracy" in m.key)
    assert "generalization.RobustAccuracy" in robust.mend
    assert found.rest


@pytest.mark.parametrize("name", ["robust_accuracy", "query_robustness"])
def test_the_reason_of_a_number_that_could_not_be_measured_is_told(subject, name):
    why = Missing(axis=Axis.GENERALIZATION, name=name, reason=text("no gradients"))
    stage = replace(subject.stage, findings=(*subject.stage.findings, why))
    found = row("annex-iv", subject._replace(stage=stage), "2g")
    assert next(m for m in found.lacking if "robust_accuracy" in m.key).reason == "no gradients"


def test_a_number_of_another_stage_does_not_count(subject):
    bare = replace(subject.stage, findings=())
    assert row("annex-iv", subject._replace(stage=bare), "2g").state == "MISSING"


def test_an_infinite_epsilon_is_shown_as_such(subject):
    found = row("nist", subject, "measure-2.10")
    assert [e.value for e in found.evidence] == [float("inf")]
    assert "∞" in evidence_markdown(sheet("nist", subject, "en"))
    rows = [r for s in to_dict(sheet("nist", subject, "en"))["sections"] for r in s["rows"]]
    assert next(r for r in rows if r["id"] == "measure-2.10")["measured"][0]["value"] == "inf"


def test_a_private_mechanism_is_told_with_its_claim(subject):
    record = Record("private", {"use": "privacy.DPSGD"}, "f", Claim(privacy={"epsilon": 3.0}))
    stage = replace(subject.stage, lineage=(record,))
    found = row("nist", subject._replace(stage=stage), "measure-2.10")
    told = next(r for r in found.recorded if r.key == "privacy.mechanism")
    assert "3.0" in told.lines[0]


def test_a_number_that_this_task_does_not_have_is_not_asked_for(subject):
    run = replace(subject.run, data=replace(subject.run.data, task=Task(kind="regression")))
    bare = replace(subject.stage, findings=())
    found = row("annex-iv", subject._replace(run=run, stage=bare), "2g")
    assert "learning.R2" in next(m for m in found.lacking if "learning.r2" in m.key).mend


def test_the_policy_counts_only_where_it_judges(subject):
    kept = row("nist", subject, "manage-1.1")
    assert kept.state == "measured"
    elsewhere = subject_of(subject.run, "other", verdict=subject.verdict)
    assert row("nist", elsewhere, "manage-1.1").state == "MISSING"


def test_a_changed_recipe_file_is_not_taken_for_that_of_the_run(subject, tmp_path):
    run = replace(subject.run, folder=tmp_path)
    (tmp_path / "recipe.toml").write_text('name = "another"\n')
    assert subject._replace(run=run).recipe_hash() != subject.recipe_hash()


def test_the_chinese_framework_is_read_in_chinese(subject):
    assert sheet("cn", subject).language == "zh"
    assert sheet("nist", subject).language == "en"


def test_an_unknown_stage_is_refused(small):
    with pytest.raises(BadInput, match="no stage called nine"):
        subject_of(small, "nine")


@pytest.mark.parametrize("language", BOTH)
@pytest.mark.parametrize("name", FRAMEWORKS)
def test_nothing_is_promised(name, language, stated, empty):
    for subject in (stated, empty):
        answered = sheet(name, subject, language)
        wholes = [evidence_page(answered), evidence_markdown(answered), str(to_dict(answered)), str(ml_bom(subject, language))]  # fmt: skip
        for whole in wholes:
            disclaimer = DISCLAIMER.words(language)
            assert disclaimer in whole
            assert not PROMISES.search(whole.replace(disclaimer, ""))
