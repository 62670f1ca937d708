"""The points that the report draws of attributions."""

from dataclasses import replace

import pytest
import torch
from pictures.making import attribution, people, with_table

from fivefold.core.schema import Column
from fivefold.explanation.importance import MOST_STRIPS, strip_chart
from fivefold.explanation.pictures.partner import strongest_partner
from fivefold.explanation.pictures.view import of_all
from seeding import seeded


def test_every_row_of_the_strongest_features_is_a_point():
    found = people(30)
    chart = strip_chart(found)
    assert len(chart.rows) == 30 * 4
    strongest = found.names[int(found.values[:, :, 0].abs().mean(0).argmax())]
    first = [row["attribution"] for row in chart.rows[:30]]
    assert {row["feature"] for row in chart.rows[:30]} == {strongest}
    assert first == pytest.approx(found.values[:, found.names.index(strongest), 0].tolist())
    assert len(strip_chart(attribution(torch.randn(3, 20, generator=seeded()))).rows) == 3 * MOST_STRIPS  # fmt: skip


def test_levels_are_thirds_where_values_lie_in_an_order():
    found = people(30)
    rows = strip_chart(found).rows
    levels = {name: [r["value of the feature"] for r in rows if r["feature"] == name] for name in found.names}  # fmt: skip
    assert set(levels["job"]) == {"no order"}
    assert levels[found.names[3]].count("missing") == 6
    number, x = levels[found.names[0]], found.x[:, 0].tolist()
    assert [number.count(k) for k in ("low", "middle", "high")] == [10, 10, 10]
    assert max(v for v, k in zip(x, number, strict=True) if k == "low") < min(v for v, k in zip(x, number, strict=True) if k == "high")  # fmt: skip
    unknown = strip_chart(attribution(torch.ones(3, 2))).rows
    assert {r["value of the feature"] for r in unknown} == {"no order"}


@pytest.mark.parametrize("partner", [1, 2, 3])
def test_the_partner_is_found_whatever_it_is(partner):
    x = torch.randn(80, 4, generator=seeded(partner))
    y = x[:, 0] ** 2 + x[:, 0] * x[:, partner]
    values = torch.stack([y, x[:, 1], x[:, 2], x[:, 3]], 1)
    found = with_table(attribution(values), tuple(Column(name=f"c{i}") for i in range(4)), x)
    assert strongest_partner(of_all(found, "", "en"), x.double(), 0) == partner


@pytest.mark.parametrize("output", ["", "ill"])
def test_the_title_says_what_has_not_converged(output):
    found = replace(people(6), outputs=(output,))
    half = replace(found, is_converged=torch.tensor([True, False] * 3))
    assert "converged" not in str(strip_chart(found).title)
    assert "3 of 6 rows not converged" in str(strip_chart(half).title)
    assert "6 行中有 3 行尚未收敛" in strip_chart(half).title.words("zh")
    assert output in strip_chart(half).title.words("zh")
