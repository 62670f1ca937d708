"""Attributions as JSON, CSV and tables: nothing is lost, and nothing is made up."""

import csv
import json
from dataclasses import fields, replace
from io import StringIO

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures.making import attribution, people, random, sampled

from fivefold.core.errors import BadInput
from fivefold.core.text import text
from fivefold.explanation import Attribution
from fivefold.perturb import Groups
from seeding import seeded

NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
NAMES = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)


def same(one: object, other: object) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return one.dtype == other.dtype and one.shape == other.shape and torch.equal(one.nan_to_num(nan=7e77), other.nan_to_num(nan=7e77)) and torch.equal(one.isnan(), other.isnan()) if one.is_floating_point() else torch.equal(one, other)  # fmt: skip
    return one == other


def is_same(one: Attribution, other: Attribution) -> bool:
    plain = [f.name for f in fields(one) if f.name != "groups"]
    parts = [(getattr(one, n), getattr(other, n)) for n in plain]
    return all(same(a, b) for a, b in (*parts, *zip(one.groups, other.groups, strict=True)))


@st.composite
def attributions(draw) -> Attribution:
    rows, n, outputs = draw(st.integers(0, 3)), draw(st.integers(1, 4)), draw(st.integers(1, 3))

    def tensor(*shape: int) -> torch.Tensor:
        size = torch.Size(shape).numel()
        numbers = draw(st.lists(NUMBERS, min_size=size, max_size=size))
        return torch.tensor(numbers, dtype=torch.float64).reshape(shape)

    return attribution(
        tensor(rows, n, outputs),
        base=tensor(rows, outputs),
        score=tensor(rows, outputs),
        error=draw(st.none() | st.just(tensor(rows, n, outputs))),
        is_converged=torch.tensor(draw(st.lists(st.booleans(), min_size=rows, max_size=rows)), dtype=torch.bool),
        groups=Groups(tuple(draw(st.lists(NAMES, min_size=n, max_size=n))), torch.arange(n), (n,)),
        outputs=tuple(draw(st.lists(NAMES, min_size=outputs, max_size=outputs))),
        method=draw(NAMES),
        unit=text("{unit} of the target", unit=draw(NAMES)),
        fit=draw(st.none() | st.just(tensor(rows, outputs))),
        is_standard=draw(st.booleans()),
    )  # fmt: skip


@settings(max_examples=40, deadline=None, derandomize=True)
@given(found=attributions())
def test_json_comes_back_bit_by_bit(found):
    told = found.to_json()
    json.loads(told, parse_constant=pytest.fail)  # no NaN or Infinity, which other readers refuse
    assert is_same(Attribution.from_json(told), found)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(found=attributions())
def test_csv_and_tables_hold_every_number(found):
    lines = list(csv.DictReader(StringIO(found.to_csv(), newline="")))
    frame = found.to_frame().to_dicts()
    places = [(r, o, i) for r in range(len(found.values)) for o in range(len(found.outputs)) for i in range(found.groups.n)]  # fmt: skip
    assert len(lines) == len(frame) == len(places)
    for line, record, (r, o, i) in zip(lines, frame, places, strict=True):
        assert (line["feature"], line["output"], int(line["row"])) == (
            found.names[i],
            found.outputs[o],
            r,
        )
        wanted = {
            "attribution": found.values[r, i, o],
            "base": found.base[r, o],
            "score": found.score[r, o],
        }
        if found.error is None:
            assert (line["error"], record["error"]) == ("", None)
        else:
            wanted["error"] = found.error[r, i, o]
        for name, value in wanted.items():
            assert same(torch.tensor(float(line[name]), dtype=torch.float64), value)
            assert same(torch.tensor(record[name], dtype=torch.float64), value)
        assert (
            record["is_converged"]
            == (line["is_converged"] == "True")
            == bool(found.is_converged[r])
        )


@pytest.mark.parametrize("name", ["a\rb", "a\nb", 'a,"b"', "a\r\nb", " a "])
def test_names_that_look_like_the_end_of_a_line_stay_names(name, tmp_path):
    found = random(1, 1)
    found = replace(found, groups=found.groups._replace(names=(name,)))
    found.to_csv(tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        assert [line["feature"] for line in csv.DictReader(file)] == [name]


def test_intervals_are_written_only_where_they_follow():
    found = sampled(2, 3, sure=True)
    record = found.to_frame().to_dicts()[1]
    assert record["high"] - record["low"] == pytest.approx(2 * 1.959963984540054 * 0.1)
    record = replace(found, is_standard=False).to_frame().to_dicts()[1]
    assert (record["low"], record["high"], record["error"]) == (None, None, pytest.approx(0.1))


def test_values_are_told_as_people_know_them():
    records = people(6).to_frame().to_dicts()
    assert [r["value"] for r in records[5:8]] == ["engineer", "yes", str(float(people(6).x[1, 3]))]
    assert records[3]["value"] is None  # missing
    assert random(2).to_frame()["value"].null_count() == 12


def test_examples_go_along_unless_they_must_not(tmp_path):
    found = people(5)
    found.to_json(tmp_path / "all.json")
    assert is_same(Attribution.from_json(tmp_path / "all.json"), found)
    kept = Attribution.from_json(found.to_json(inputs=False))
    assert kept.x is None
    assert kept.schema == found.schema
    assert kept.plot.bar(0).get_title() == found.plot.bar(0).get_title()
    assert (tmp_path / "all.csv").write_text(found.to_csv(tmp_path / "all.csv")) > 100


def broken() -> dict[str, str]:
    told = json.loads(people(3).to_json())
    member = told["member"] | {"numbers": [0, 1, 2, 9]}
    short = told["base"] | {"shape": [2, 1], "numbers": [1.0, 2.0]}
    parts = {
        "text": "{", "list": "[]", "form": {"form": "other"}, "kind": {"values": told["values"] | {"kind": "load"}},
        "shape": {"base": short}, "member": {"member": member}, "null": {"values": None}, "names": {"features": ["a"]},
        "schema": {"schema": {"shape": [4], "columns": 3}}, "number": {"n_evaluations": "many"}, "flag": {"is_converged": told["base"]},
    }  # fmt: skip
    return {k: v if isinstance(v, str) else json.dumps(told | v) for k, v in parts.items()}


@pytest.mark.parametrize("name", [*broken(), "file"])
def test_what_is_no_attribution_is_refused(name, tmp_path):
    with pytest.raises(BadInput):
        Attribution.from_json(tmp_path / "nothing.json" if name == "file" else broken()[name])


def test_html_holds_still_pictures_in_both_languages_and_nothing_from_outside():
    found = people(sure=False)
    shown = found._repr_html_()
    assert shown.count("<svg") == 2
    assert "<script" not in shown
    assert "Not converged" in shown
    assert "尚未收敛" in shown
    assert 'lang="zh-CN"' in shown
    links = shown.replace("http://www.w3.org/", "").replace("xmlns:", "")
    assert "http" not in links.split("<svg", 1)[1].split("<metadata", 1)[0]
    assert "尚未收敛" not in found.to_html("en")
    assert "not what causes what" in found.to_html("en")
    assert found.to_html("zh") == found.to_html("zh")


def test_inputs_must_be_those_that_were_explained():
    from games import of_columns

    found = random(3, 2)
    model = of_columns(2, lambda x: x.sum(1))
    assert torch.equal(found.with_inputs(model, torch.ones(3, 2)).x, torch.ones(3, 2))
    with pytest.raises(BadInput, match="2 examples were given, and 3"):
        found.with_inputs(model, torch.ones(2, 2))


def test_explain_keeps_what_it_explained():
    from games import of_columns

    from fivefold.explanation import explain

    x = torch.rand(4, 3, generator=seeded())
    model = of_columns(3, lambda v: v.sum(1))
    for method in ("auto", "leverage"):
        found = explain(model, x, x, method, rng=seeded())
        assert found.x is not None
        assert torch.equal(found.x, x)
        assert found.schema == model.schema
