"""The privacy card says what evidence and lineage hold, and nothing better."""

from dataclasses import replace
from math import inf

from fivefold.core.evidence import Axis, Evidence, Missing
from fivefold.core.lineage import Claim, Record
from fivefold.core.text import Language, chinese, text
from fivefold.privacy import DPSGD, Federated, RepeatAndSelect
from fivefold.privacy.federated import ByColumn, ClientPrivacy
from fivefold.privacy.mechanism import READERS
from fivefold.report.privacy_card import MEANING, privacy_cards

ONE = DPSGD(noise_multiplier=1.4, rate=0.1, steps=300, delta=1e-5)


def epsilon(value, setting="delta 1e-05", name="epsilon", low=0.0):
    return Evidence(
        axis=Axis.PRIVACY, name=name, value=value, low=low, high=value, n=284, unit="epsilon",
        better="lower", setting=setting, interval="PLD upper bound",
    )  # fmt: skip


def card(run, *claims, found=(), language: Language = "en"):
    """The card of a run with one stage that these claims have made."""
    lineage = tuple(Record(f"s{i}", {}, "d", c) for i, c in enumerate(claims))
    stage = replace(run.stages[-1], lineage=lineage, findings=tuple(found))
    (one,) = privacy_cards(replace(run, stages=(stage,)), language)
    return one | dict(one["rows"])


def test_it_names_every_number_of_the_mechanism(run):
    one = card(run, ONE.claim(284), found=[epsilon(2.87)])
    (step,) = one["steps"]
    assert (one["epsilon"], one["setting"], one["is_void"]) == ("2.87", "delta 1e-05", False)
    assert [(n["symbol"], n["value"]) for n in step["numbers"]] == [
        ("q", "0.1"), ("σ", "1.4"), ("C", "1"), ("T", "300"),
    ]  # fmt: skip
    assert one["Hidden"] == "Example"
    assert one["Neighbouring data"] == "one is added or removed"
    assert step["noise"] == "from secrets of the operating system"
    assert one["Audit"] == "not measured"
    assert any("no ledger" in t for t in one["left_out"])


def test_it_counts_runs_as_the_evidence_does(run):
    one = card(run, ONE.claim(284), found=[epsilon(5.0, "delta 1e-05, 7 runs in the ledger")])
    assert one["Runs paid for"] == "7, all that the ledger has counted"
    assert one["setting"] == "delta 1e-05"
    assert not any("ledger" in t for t in one["left_out"])
    said = card(run, ONE.claim(284), found=[epsilon(5.0, "delta 1e-05, 3 runs")])
    assert said["Runs paid for"] == "3, as the recipe says"
    assert card(run, ONE.claim(284), found=[epsilon(5.0)])["Runs paid for"].startswith("1;")


def test_lineage_overrules_a_number_that_does_not_fit_it(run):
    """A number from elsewhere never makes a void guarantee look sound."""
    for claim in (
        Claim(),
        Claim(privacy={"mechanism": "magic"}),
        replace(ONE, insecure_seed=1).claim(284),
    ):
        one = card(run, ONE.claim(284), claim, found=[epsilon(2.87)])
        assert (one["epsilon"], one["is_void"], one["Hidden"]) == ("∞", True, "nothing")
        assert one["why_not"]
        assert one["left_out"] == []
        assert one["steps"][1]["is_void"]


def test_without_a_number_none_is_made_up(run):
    assert card(run, ONE.claim(284))["epsilon"] == "not measured"


def test_the_worst_of_several_numbers_is_shown(run):
    assert (
        card(run, ONE.claim(284), found=[epsilon(2.0), epsilon(3.0, "delta 1e-06")])["epsilon"]
        == "3.00"
    )
    assert card(run, ONE.claim(284), found=[epsilon(2.0), epsilon(inf, "delta 0")])["is_void"]


def test_units_and_tuning_say_what_they_leave_out(run):
    step = Federated(private=ClientPrivacy(noise_multiplier=1.0), clients=ByColumn(column="c5"))
    one = card(run, step.claim(284))
    assert one["Hidden"] == "Client with all of its rows"
    assert any("single clients" in t for t in one["left_out"])
    mixed = card(run, step.claim(284), ONE.claim(284))
    assert "no whole client" in mixed["Hidden"]
    tuned = card(run, RepeatAndSelect(steps=(ONE,)).claim(284))
    assert any("validation" in t for t in tuned["left_out"])
    assert any("how many runs" in t for t in tuned["left_out"])


def test_the_audit_stands_beside_the_claim(run):
    proved = epsilon(0.41, "gradients, delta 1e-05", "audited_epsilon", low=0.41)
    assert "at least 0.41" in card(run, ONE.claim(284), found=[proved])["Audit"]
    absent = Missing(axis=Axis.PRIVACY, name="audited_epsilon", reason=text("Give it more rows."))
    assert card(run, ONE.claim(284), found=[absent])["Audit"] == "Give it more rows."


def test_stages_with_one_history_share_a_card_and_plain_runs_have_none(run, pages):
    with_private = [c["stages"] for c in privacy_cards(run, "en")]
    assert with_private[0] == ["private"]
    plain = replace(run, stages=run.stages[:2])
    assert privacy_cards(plain, "en") == []
    assert "Privacy card" in pages["en"]
    assert "隐私卡片" in pages["zh"]


def test_every_word_of_it_has_its_chinese(run):
    one = card(run, ONE.claim(284), RepeatAndSelect(steps=(ONE,)).claim(284), language="zh")
    assert [t for t in one["left_out"] if t.isascii()] == []
    assert {*READERS, *MEANING.values()} - chinese().keys() == set()
