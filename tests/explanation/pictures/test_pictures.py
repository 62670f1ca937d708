"""Each picture shows the numbers that it says it shows."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures.making import (
    LONG,
    ZH,
    attribution,
    every_text,
    image,
    people,
    random,
    sampled,
    with_table,
    words,
)

from fivefold.core.errors import BadInput
from fivefold.core.interval import mean_interval
from fivefold.core.schema import Column
from fivefold.explanation.pictures.force import Push, named
from fivefold.explanation.pictures.letters import cells
from fivefold.explanation.pictures.waterfall import Fall
from fivefold.perturb import Groups
from seeding import seeded


def lengths(ax) -> list[float]:
    return [p.get_width() for p in ax.patches if hasattr(p, "get_width")]


def test_a_waterfall_leads_from_the_base_to_the_score():
    found = random(3, 5)
    ax = found.plot.waterfall(2)
    bars = ax.patches
    assert sum(lengths(ax)) == pytest.approx(float(found.score[2, 0] - found.base[2, 0]))
    assert bars[0].get_x() == pytest.approx(0.5)
    for below, above in pairwise(bars):
        assert above.get_x() == pytest.approx(below.get_x() + below.get_width())
    sizes = [abs(w) for w in lengths(ax)]
    assert sizes == sorted(sizes)  # the largest lies on top


@pytest.mark.parametrize(
    ("most", "bars", "others"), [(3, 3, "other 4 features"), (6, 6, ""), (9, 6, "")]
)
def test_what_has_no_room_becomes_one_line(most, bars, others):
    found = random(20, 6)
    for ax in (found.plot.waterfall(0, most=most), found.plot.bar(most=most), found.plot.bar(0, most=most)):  # fmt: skip
        assert len(ax.patches) == bars
        assert ("other" in every_text(ax)) == bool(others)
        assert others in every_text(ax)
    total = float(found.values[0, :, 0].sum())
    assert sum(lengths(found.plot.waterfall(0, most=most))) == pytest.approx(total)
    everything = float(found.values.abs().sum(1).mean())
    assert sum(lengths(found.plot.bar(most=most))) == pytest.approx(everything)


def test_what_does_not_add_up_is_a_bar_of_its_own():
    found = random(2, 4)
    short = replace(found, score=found.score + 0.7, method="Occlusion")
    ax = short.plot.waterfall(0)
    assert "does not add up" in every_text(ax)
    assert ax.patches[0].get_width() == pytest.approx(0.7)
    assert "does not add up" not in every_text(found.plot.waterfall(0))


def test_bars_of_all_rows_are_means_with_their_intervals():
    found = random(25, 3)
    ax = found.plot.bar()
    order = found.values.abs().mean(0)[:, 0].argsort(descending=True).tolist()
    segments = ax.collections[0].get_segments()
    for bar, place, whisker in zip(ax.patches, order, segments, strict=True):
        mean, low, high = mean_interval(found.values[:, place, 0].abs())
        assert bar.get_width() == pytest.approx(mean)
        assert [p[0] for p in whisker] == pytest.approx([max(low, 0.0), high])


def test_one_row_has_no_interval_over_rows():
    assert not random(1, 3).plot.bar().collections


def test_whiskers_of_a_row_are_its_own_intervals_and_the_sum_of_others_is_bounded():
    found = sampled(4, 6)
    ax = found.plot.bar(1, most=4)
    widths = [float(s[1][0] - s[0][0]) for s in ax.collections[0].get_segments()]
    half = 1.959963984540054 * 0.1
    assert widths == pytest.approx([2 * half] * 3 + [0.0])
    assert f"other 3 features ± {3 * half:.3g}" in every_text(ax)


def test_unsure_bars_are_hatched():
    found = sampled()
    assert all(p.get_hatch() for p in found.plot.bar(0).patches)
    assert not any(p.get_hatch() for p in found.plot.bar(1).patches)


def test_a_swarm_has_every_row_on_every_line():
    found = people(30)
    ax = found.plot.beeswarm(most=3)
    assert len(ax.collections) == 3
    assert all(len(c.get_offsets()) == 30 for c in ax.collections)
    drawn = sorted(float(x) for x, _ in ax.collections[0].get_offsets())
    strongest = int(found.values[:, :, 0].abs().mean(0).argmax())
    assert drawn == pytest.approx(sorted(found.values[:, strongest, 0].tolist()))
    for line, points in enumerate(ax.collections):
        assert all(abs(y - (2 - line)) <= 0.41 for _, y in points.get_offsets())


def test_points_of_a_swarm_do_not_hide_one_another():
    found = attribution(torch.ones(7, 1))
    (points,) = found.plot.beeswarm().collections
    assert len({round(float(y), 6) for _, y in points.get_offsets()}) == 7


def test_rows_that_have_not_converged_are_rings():
    found = people(8)
    half = replace(found, is_converged=torch.tensor([True, False] * 4))
    faces = half.plot.beeswarm().collections[0].get_facecolors()
    assert [bool(f[3]) for f in faces] == [True, False] * 4


def test_the_strongest_partner_is_the_one_that_acts_with_it():
    found = people(60)
    assert "strongest partner smoker" in found.plot.scatter(LONG).get_title().replace("\n", " ")
    plain = with_table(attribution(torch.arange(20.0)[:, None].expand(-1, 2)), (Column(name="a"), Column(name="b")), torch.arange(40.0).reshape(20, 2))  # fmt: skip
    assert "coloured" not in plain.plot.scatter("a").get_title()  # a line leaves nothing open
    assert "coloured" not in people(9).plot.scatter(LONG).get_title()  # too few rows to say


def test_missing_values_stand_aside_and_categories_have_their_names():
    ax = people(30).plot.scatter(ZH, colour_by="job")
    told = [t.get_text() for t in ax.get_xticklabels()]
    assert told[0] == "missing"
    assert sum(len(c.get_offsets()) for c in ax.collections) == 30
    known = people(30).x[:, 3]
    assert ax.get_xticks()[0] < float(known[~known.isnan()].min())
    told = [t.get_text() for t in people(30).plot.scatter("job").get_xticklabels()]
    assert told == ["nurse", "engineer", "教师"]


def test_colours_are_symmetric_about_zero():
    found = random(12, 5)
    (picture,) = found.plot.heatmap().images
    assert picture.get_clim() == pytest.approx((-float(found.values.abs().max()), float(found.values.abs().max())))  # fmt: skip
    shown = picture.get_array()
    order = found.score[:, 0].argsort().tolist()
    top = int(found.values.abs().mean(0)[:, 0].argmax())
    assert shown[-1].tolist() == pytest.approx(found.values[order, top, 0].tolist())
    for draw in (image(sure=True).plot.image, image(sure=True).plot):
        low, high = draw(0).images[-1].get_clim()
        assert low == -high < 0


def test_an_image_stands_beside_what_moved_the_answer():
    found = image(sure=True)
    ax = found.plot.image(1)
    original, _, laid = ax.images
    assert torch.equal(torch.from_numpy(original.get_array().data), found.x[1, 0].double())
    wanted = found.values[1, :, 0][found.groups.member].reshape(4, 4)
    assert torch.equal(torch.from_numpy(laid.get_array().data), wanted)
    assert original.get_extent()[1] <= laid.get_extent()[0]


def test_forces_meet_at_the_score():
    found = random(2, 5)
    ax = found.plot.force(0)
    score = float(found.score[0, 0])
    ups = [p for p in ax.patches if p.get_x() + p.get_width() <= score + 1e-9]
    downs = [p for p in ax.patches if p.get_x() >= score - 1e-9]
    assert len(ups) + len(downs) == 5
    pushed = sum(p.get_width() for p in ups) - sum(p.get_width() for p in downs)
    assert pushed == pytest.approx(score - 0.5)


def test_names_below_a_force_do_not_overlap():
    ax = random(1, 8).plot.force(0)
    ax.figure.canvas.draw()
    boxes = [t.get_window_extent() for t in ax.texts if t.get_text().startswith("c")]
    assert len(boxes) == 8
    for i, one in enumerate(boxes):
        assert not any(one.overlaps(other) for other in boxes[:i])


def test_numbers_of_a_waterfall_do_not_touch_the_names():
    found = replace(people(), error=torch.full((40, 4, 1), 0.2), method="LeverageSHAP")
    ax = found.plot.waterfall(0)
    ax.figure.canvas.draw()
    left = ax.get_window_extent().x0
    beside = [t for t in ax.texts if "±" in t.get_text() and t.get_position()[0] in (4, -4)]
    assert len(beside) == 4
    assert all(t.get_window_extent().x0 >= left - 1 for t in beside)


def test_lines_of_a_decision_end_at_the_scores():
    found = sampled(6, 4)
    lines = found.plot.decision().lines[:6]
    assert [line.get_xdata()[-1] for line in lines] == pytest.approx(found.score[:, 0].tolist())
    assert [line.get_linestyle() for line in lines] == ["--"] + ["-"] * 5


def test_a_text_keeps_its_words():
    found = words(sure=True)
    shown = [t.get_text() for t in found.plot.text(0).texts[: found.groups.n]]
    assert shown == list(found.names)


def test_drift_shows_both_stages_and_how_alike_they_are():
    before, after = random(20, 5, seed=1), random(20, 5, seed=2)
    ax = before.plot.drift(after, most=3)
    assert len(ax.patches) == 6
    assert "rank correlation 1 (95 %: 1 to 1)" in before.plot.drift(before).get_title().replace("\n", " ")  # fmt: skip
    assert "rank correlation 1" not in ax.get_title()
    for other in (random(19, 5), random(20, 4), replace(after, unit=people().unit.__class__("units of the target"))):  # fmt: skip
        with pytest.raises(BadInput, match="not of the same"):
            before.plot.drift(other)


def test_curves_have_their_random_baseline():
    from games import of_columns

    found = people(20)
    ax = found.plot.curve(of_columns(4, lambda x: x[:, :2].sum(1)), found.x[:5], rng=seeded())
    told = [t.get_text() for t in ax.get_legend().get_texts()]
    assert told == ["insertion", "insertion, random order", "deletion", "deletion, random order"]
    assert len(ax.lines) == 4


def test_the_output_is_the_one_asked_for_or_the_usual_one():
    found = random(9, 3, outputs=3)
    usual = found.score.argmax(1).bincount(minlength=3).argmax()
    assert found.plot.bar().get_title().startswith(f"out{usual}:")
    assert found.plot.bar(output="out2").get_title().startswith("out2:")
    assert found.plot.bar(4).get_title().startswith(f"out{found.score[4].argmax()}:")


def test_features_of_several_columns_have_no_value():
    found = people()
    groups = Groups(("a + b", "smoker", "x"), torch.tensor([0, 0, 1, 2]), (3,))
    grouped = replace(found, groups=groups, values=found.values[:, :3])
    told = every_text(grouped.plot.bar(0))
    assert "smoker = no" in told
    assert "a + b =" not in told


def test_wrong_questions_are_refused():
    found = random(3, 3)
    with pytest.raises(BadInput, match="no row 3"):
        found.plot.waterfall(3)
    with pytest.raises(BadInput, match="no row -1"):
        found.plot.force(-1)
    with pytest.raises(BadInput, match="no output nobody"):
        found.plot.bar(output="nobody")
    with pytest.raises(BadInput, match="no feature nothing"):
        people().plot.scatter("nothing")
    with pytest.raises(BadInput, match="does not hold"):
        found.plot.scatter("c0")
    with pytest.raises(BadInput, match="shows nothing"):
        found.plot.bar(most=0)
    with pytest.raises(BadInput, match="no attribution of a text"):
        found.plot.text(0)
    with pytest.raises(BadInput, match="no attribution of an image"):
        found.plot.image(0)


def test_constant_answers_can_be_drawn():
    found = attribution(torch.zeros(5, 3))
    for ax in (found.plot.bar(), found.plot.waterfall(), found.plot.force(), found.plot.beeswarm(), found.plot.heatmap(), found.plot.decision()):  # fmt: skip
        ax.figure.draw_without_rendering()


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    lengths=st.lists(st.floats(-3, 3).filter(bool), min_size=1, max_size=9),
    name=st.sampled_from(["c", LONG, ZH]),
)
def test_names_of_a_force_never_share_a_place(lengths, name):
    pushes = [Push(Fall(name, length, 0.0, "red"), i * 0.3, i * 0.3 + abs(length)) for i, length in enumerate(lengths)]  # fmt: skip
    placed = named(pushes, (-1.0, 6.0), 7.0)
    wide = 7.0 * 8 * 0.6 / 72 / 7.0
    boxes = [(n.at, wide * max(map(cells, n.told.split("\n"))) / 2, n.bottom, n.top) for n in placed]  # fmt: skip
    for i, (at, half, bottom, top) in enumerate(boxes):
        for other_at, other_half, other_bottom, other_top in boxes[:i]:
            is_beside = abs(at - other_at) >= half + other_half
            assert is_beside or top <= other_bottom or bottom >= other_top
