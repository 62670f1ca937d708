"""The tables: every selector can be answered, every word exists in both languages, no date, no promise."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from fivefold.core.codec import encode, import_class
from fivefold.core.errors import NotMeasurable
from fivefold.core.lineage import Record
from fivefold.core.probe import Comparison, Probe
from fivefold.privacy import DPSGD
from fivefold.report.exports import tables
from fivefold.report.exports.facts import FACTS
from fivefold.report.exports.lookup import alternatives
from fivefold.report.exports.tables import (
    FRAMEWORKS,
    Demand,
    Framework,
    Told,
    framework,
    producers,
    questions,
)
from seeding import seeded

CJK = re.compile(r"[\u4e00-\u9fff]")
FOLDER = Path(tables.__file__).parent


def unknown_selectors(asked: Framework) -> list[str]:
    """Return everything in a framework that nothing can answer."""
    keys = [k for d in asked.demands for s in d.evidence for k in alternatives(s)]
    facts = [f for d in asked.demands for f in d.facts if f not in FACTS]
    statements = [s for d in asked.demands for s in d.statements if s not in questions()]
    return [*(k for k in keys if k not in producers()), *facts, *statements]


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_every_selector_can_be_answered(name):
    assert unknown_selectors(framework(name)) == []


def test_a_made_up_key_would_be_noticed():
    rows = {"evidence": ["privacy.trust_score"], "facts": ["model.soul"], "statements": ["luck"]}
    made_up = {"title": {"en": "a", "zh": "b"}, "source": {"en": "a", "zh": "b"}}
    group = {"number": "", "en": "a", "zh": "b", "rows": [{"id": "x", "en": "a", "zh": "b"} | rows]}
    asked = Framework.model_validate(made_up | {"groups": [group]})
    assert unknown_selectors(asked) == ["privacy.trust_score", "model.soul", "luck"]


def test_a_misspelt_field_of_a_table_is_refused():
    with pytest.raises(ValidationError, match="evidnce"):
        Demand.model_validate({"id": "x", "en": "a", "zh": "b", "evidnce": ["learning.accuracy"]})


def test_every_question_and_every_fact_is_asked_by_a_framework():
    demands = [d for name in FRAMEWORKS for d in framework(name).demands]
    assert set(questions()) == {s for d in demands for s in d.statements}
    assert set(FACTS) == {f for d in demands for f in d.facts}


@pytest.mark.parametrize("key", producers())
def test_the_producer_of_a_number_is_there_and_speaks_of_that_axis(key):
    giver = producers()[key]
    found = import_class(giver.use)
    kind = Probe if giver.table == "probes" else Comparison
    assert issubclass(found, kind)
    assert found.axis == key.partition(".")[0]


def with_groups(model):
    """Return the model with a first column whose groups are compared."""
    if not model.schema.is_table:
        return model
    first, *others = model.schema.columns
    guarded = replace(first, is_protected=True, cuts=(0.0,))
    return replace(model, schema=replace(model.schema, columns=(guarded, *others)))


def private(model):
    """Return the model as if it had been trained privately, for who audits that."""
    step = DPSGD(noise_multiplier=1.0, steps=4)
    return model.with_lineage((Record("private", encode(step), "d", step.claim(250)),))


def asked(probe, model, splits):
    if isinstance(probe, Comparison):
        return probe(model, model, splits, rng=seeded(1))
    return probe(model, splits, rng=seeded(1))


WHERE = {"trained": "table", "trained_images": "images", "trained_numbers": "numbers"}


@pytest.mark.parametrize("use", sorted({p.use for p in producers().values()}))
def test_the_producer_of_a_number_gives_it(use, request):
    wanted = {k for k, p in producers().items() if p.use == use}
    found: set[str] = set()
    for model, data in WHERE.items():
        if wanted <= found:
            break
        made = private(with_groups(request.getfixturevalue(model)))
        splits = request.getfixturevalue(data).splits
        probe = import_class(use)()
        try:
            found |= {f"{f.axis}.{f.name}" for f in asked(probe, made, splits)}
        except NotMeasurable:
            continue
    assert wanted - found == set()


def told_in(asked: Framework) -> list[Told]:
    rests = [d.rest for d in asked.demands if d.rest]
    return [asked.title, asked.source, *asked.groups, *asked.demands, *rests]


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_every_word_is_there_in_both_languages(name):
    for told in [*told_in(framework(name)), *questions().values()]:
        assert CJK.search(told.zh), told
        assert not CJK.search(told.en), told


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_rows_have_names_of_their_own_and_ask_for_something(name):
    demands = framework(name).demands
    assert len({d.id for d in demands}) == len(demands)
    for demand in demands:
        assert demand.evidence or demand.facts or demand.statements
        assert not demand.needs or demand.statements


@pytest.mark.parametrize("path", sorted(FOLDER.glob("**/*.toml")), ids=lambda p: p.name)
def test_no_date_of_law_is_printed(path):
    told = path.read_text(encoding="utf-8").replace("2024/1689", "").replace("42001:2023", "")
    assert not re.findall(r"\b(?:19|20)\d\d\b", told)
