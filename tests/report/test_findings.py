from dataclasses import replace
from math import inf

from fivefold.core.evidence import Axis, Evidence
from fivefold.core.interval import wilson
from fivefold.core.text import Language
from fivefold.report import change, findings
from report.made_up import made_up, number


def sentences(run, language: Language = "en"):
    return [f.sentence.words(language) for f in findings(run)]


def test_a_trade_names_the_step_both_numbers_and_the_interval(run):
    told = next(
        s for s in sentences(run) if s.startswith("AdversarialTraining (robust, against plain)")
    )
    assert "improved robust accuracy (linf eps 0.1): 0.222 → 0.789 (+0.567 [" in told
    assert "and cost" in told


def test_a_branch_from_the_start_is_held_against_its_eldest_sibling(run):
    assert any(
        "DPSGD (private, against plain) improved epsilon (delta 1e-05): ∞ → 2.87" in s
        for s in sentences(run)
    )
    assert not any(s.startswith("Finetune (plain") for s in sentences(run))


def test_the_gain_is_the_one_that_the_step_is_made_for(run):
    told = [s for s in sentences(run) if s.startswith("DPSGD")]
    assert told
    assert all("improved epsilon" in s for s in told)


def test_nothing_is_claimed_where_the_interval_includes_no_change():
    run = made_up()
    quiet = tuple(replace(s, findings=run.stages[1].findings, changes=()) for s in run.stages)
    assert [f for f in findings(replace(run, stages=quiet)) if f.kind == "trade"] == []


def two_numbers(run, accuracy, size):
    low, high = wilson(accuracy, 100)
    first = Evidence(
        axis=Axis.LEARNING,
        name="accuracy",
        value=accuracy / 100,
        low=low,
        high=high,
        n=100,
        unit="fraction",
        better="higher",
    )
    return replace(
        run.stages[3], findings=(first, number(Axis.EFFICIENCY, "size", size, 0.0, "bytes"))
    )


def test_a_trade_appears_exactly_when_both_changes_are_certain():
    run = made_up()
    parent = replace(two_numbers(run, 95, 2000.0), name="plain", parent="start")
    for accuracy in range(60, 101, 5):
        child = two_numbers(run, accuracy, 1000.0)
        before, after = parent.evidence[0], child.evidence[0]
        certain = getattr(change(before, after), "judgement", "") == "worse"
        found = findings(replace(run, stages=(run.stages[0], parent, child)))
        assert any(f.kind == "trade" for f in found) == certain


def test_warnings_follow_the_floor(run):
    assert any(
        "An attacker beats chance: membership AUC" in s or "membership auc is certainly above" in s
        for s in sentences(run)
    )
    assert any(
        "(adaptive) is not shown to be better than chance (0.050) at plain" in s
        for s in sentences(run)
    )
    assert not any("static" in s and "chance" in s for s in sentences(run))


def test_a_lost_epsilon_is_told_only_where_there_was_one():
    run = made_up()
    assert not any("privacy promise was lost" in s for s in sentences(run))
    again = replace(run.stages[3], parent="private", name="again")
    told = sentences(replace(run, stages=(*run.stages, again)))
    assert any("privacy promise was lost at again" in s for s in told)


def test_they_are_sorted_and_finite(run):
    strengths = [f.strength for f in findings(run)]
    assert strengths == sorted(strengths, reverse=True)
    assert all(0 <= s < inf for s in strengths)


def test_chinese(run):
    assert all(any(ord(c) > 0x4E00 for c in s) for s in sentences(run, "zh"))
