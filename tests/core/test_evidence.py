from dataclasses import replace

import pytest

from fivefold.core.chart import Chart
from fivefold.core.evidence import Axis, Evidence, Missing
from fivefold.core.text import text

USUAL = Evidence(
    axis=Axis.LEARNING, name="accuracy", value=0.5, low=0.4, high=0.6, n=9, unit="fraction", better="higher"
)  # fmt: skip


def made(**given):
    return replace(USUAL, **given)


@pytest.mark.parametrize(
    "given",
    [{"value": 0.7}, {"value": float("nan")}, {"low": 0.7}, {"high": float("nan")}, {"n": 0}],
)
def test_a_number_that_is_no_evidence_is_refused(given):
    with pytest.raises(ValueError, match="accuracy"):
        made(**given)


def test_a_careful_reader_goes_by_the_worse_bound():
    assert made().worst == 0.4
    assert made(better="lower").worst == 0.6


def test_keys_tell_settings_apart():
    assert made().key == "learning.accuracy"
    assert made(setting="eps 1").key == "learning.accuracy[eps 1]"
    missing = Missing(axis=Axis.PRIVACY, name="epsilon", reason=text("x"), setting="a")
    assert missing.key == "privacy.epsilon[a]"


def test_a_chart_needs_its_columns_and_stays_small():
    def chart(rows, **given):
        return Chart(title=text("x"), kind="line", x="a", y="b", rows=tuple(rows), **given)

    chart([{"a": 1, "b": 2}])
    with pytest.raises(ValueError, match="lack"):
        chart([{"a": 1}])
    with pytest.raises(ValueError, match="lack"):
        chart([{"a": 1, "b": 2}], series="c")
    with pytest.raises(ValueError, match="at most"):
        chart([{"a": 1, "b": 2}] * 5001)
