import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.schema import Column, Schema, groupings
from fivefold.core.task import Task

few = settings(max_examples=20, deadline=None, derandomize=True)
PLACE = Column(name="place", kind="category", categories=("n", "s"), is_protected=True)
AGE = Column(
    name="age", low=0.0, scale=5.0, is_immutable=True, is_protected=True, cuts=(18.0, 65.0)
)
PAY = Column(name="pay", low=1.0, high=9.0, scale=2.0, is_observed=True)
PEOPLE = Schema(columns=(PLACE, AGE, PAY), shape=(3,))


def test_the_space_of_a_table_is_that_of_its_columns():
    space = PEOPLE.space()
    assert space.low.tolist() == [-torch.inf, 0.0, 1.0]
    assert space.high.tolist() == [torch.inf, torch.inf, 9.0]
    assert space.unit.tolist() == [1.0, 5.0, 2.0]
    assert space.can_move.tolist() == [False, False, True]


def test_the_space_of_an_image_is_that_of_its_pixels():
    schema = Schema(shape=(2, 3, 4))
    space = schema.space()
    assert {part.shape for part in space} == {(2, 3, 4)}
    assert not space.low.any()
    assert bool((space.high == 1).all() and space.can_move.all())
    assert schema.n_features == 24
    assert not schema.is_table


def test_values_of_an_image_are_named_by_their_place():
    names = Schema(shape=(2, 3, 4)).names()
    assert len(set(names)) == 24
    assert (names[0], names[5], names[23]) == ("0,0,0", "0,1,1", "1,2,3")
    assert PEOPLE.names() == ("place", "age", "pay")


def test_statistics_read_from_rows_are_remembered():
    assert PEOPLE.is_observed
    assert not Schema(columns=(AGE,), shape=(1,)).is_observed


def group_of(age):
    """By hand."""
    if age != age:
        return -1
    return 0 if age < 18 else 1 if age < 65 else 2


@few
@given(
    st.lists(st.floats(0, 100) | st.just(float("nan")) | st.sampled_from([18.0, 65.0]), min_size=1)
)
def test_people_are_grouped_as_by_hand(ages):
    x = torch.tensor([[float(i % 2), age, 5.0] for i, age in enumerate(ages)])
    places, by_age = groupings(PEOPLE, x)
    assert places.labels == ("n", "s")
    assert places.member.tolist() == [i % 2 for i in range(len(ages))]
    assert by_age.member.tolist() == [group_of(age) for age in x[:, 1].tolist()]
    assert len(by_age.labels) == 3


def test_a_missing_category_is_in_no_group():
    (places, _) = groupings(PEOPLE, torch.tensor([[torch.nan, 1.0, 1.0]]))
    assert places.member.tolist() == [-1]


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="shape"):
        Schema(columns=(AGE,), shape=(2,))
    with pytest.raises(ValueError, match="two classes"):
        Task(classes=("only",))
    assert Task(kind="regression").n_outputs == 1
