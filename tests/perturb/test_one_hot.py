import torch

from fivefold.core.schema import Column, Schema
from fivefold.perturb import Features, one_hot_columns
from seeding import seeded


def schema_of(*columns):
    return Schema(columns=tuple(columns), shape=(len(columns),))


def marks(*names):
    return [Column(name=n, kind="integer", low=0.0, high=1.0) for n in names]


def test_columns_that_begin_alike_and_are_marks_are_one_feature():
    schema = schema_of(
        Column(name="age"), *marks("job=nurse", "job=cook", "job=other"), *marks("smoker", "city_of_birth_a", "city_of_birth_b"),
        Column(name="bp_systolic"), Column(name="bp_diastolic"),
    )  # fmt: skip
    groups = Features(one_hot=True).of(schema)
    assert groups.names == ("age", "job", "smoker", "city_of_birth", "bp_systolic", "bp_diastolic")
    assert groups.member.tolist() == [0, 1, 1, 1, 2, 3, 3, 4, 5]
    assert Features().of(schema).n == 9


def test_what_is_grouped_by_hand_stays_so():
    schema = schema_of(*marks("job=nurse", "job=cook"), Column(name="age"))
    features = Features(one_hot=True, together=(("job=nurse", "age"),))
    assert features.of(schema).names == ("job=nurse + age", "job=cook")


def test_rows_decide_where_they_are_given():
    schema = schema_of(*(Column(name=n) for n in ("job_a", "job_b", "job_c", "is_x", "is_y")))
    job = torch.nn.functional.one_hot(torch.arange(30) % 3, 3).float()
    free = (torch.rand(30, 2, generator=seeded(1)) < 0.5).float()
    rows = torch.cat([job, free], 1)
    found = one_hot_columns(schema, rows)
    assert [(o.name, o.columns) for o in found] == [("job", ("job_a", "job_b", "job_c"))]
    rows[0, 0] = 0.5
    assert one_hot_columns(schema, rows) == ()
    dropped = torch.cat([job[:, 1:], free[:, :1], job[:, :1], free[:, 1:]], 1)
    assert one_hot_columns(schema, dropped[:0]) == ()
    assert one_hot_columns(schema) == ()  # the schema does not say that they are marks


def test_marks_that_do_not_exclude_one_another_are_not_joined_by_rows():
    schema = schema_of(*marks("drug_a", "drug_b"))
    both = torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    assert one_hot_columns(schema, both) == ()
    assert len(one_hot_columns(schema, both[1:])) == 1


def test_questions_of_yes_and_no_are_not_one_category():
    assert (
        one_hot_columns(schema_of(*marks("is_smoker", "is_diabetic", "has_cat", "has_dog"))) == ()
    )


def test_pictures_have_no_columns():
    assert one_hot_columns(Schema(shape=(1, 4, 4))) == ()
