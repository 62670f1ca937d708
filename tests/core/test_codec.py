from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.codec import construct, decode, encode, import_class, name_of
from fivefold.core.errors import BadInput, BadRecipe
from fivefold.core.limits import Count, Positive
from fivefold.core.step import Step
from fivefold.learning import Accuracy, Finetune
from fivefold.models import MLP
from fivefold.training import SGD, AdamW, Cosine, Linear

few = settings(max_examples=30, deadline=None, derandomize=True)


@dataclass(frozen=True, kw_only=True)
class Given:
    """Fields of many kinds."""

    needed: Count
    share: Positive = 1.0
    words: tuple[str, ...] = ()
    maybe: float | None = None

    def __post_init__(self) -> None:
        if self.needed == 13:
            raise ValueError("13 brings bad luck.")


@few
@given(
    st.integers(1, 2**40),
    st.sampled_from([AdamW(lr=0.1), SGD(schedule=Cosine(warmup=0.25)), SGD(schedule=Linear())]),
    st.none() | st.floats(0.01, 0.99),
)
def test_there_and_back(epochs, optimizer, average):
    step = Finetune(epochs=epochs, optimizer=optimizer, average=average)
    assert decode(encode(step), Step) == step


def test_none_is_left_out_and_tuples_are_lists():
    assert encode(MLP(hidden=(3, 4))) == {"use": "models.MLP", "hidden": [3, 4]}
    assert "patience" not in encode(Finetune())


def test_none_is_refused_where_leaving_it_out_would_say_something_else():
    @dataclass(frozen=True, kw_only=True)
    class Sized:
        size: int | None = 16

    with pytest.raises(TypeError, match="size is None"):
        encode(Sized(size=None))


def test_names_are_short_where_they_are_exported():
    assert name_of(Accuracy) == "learning.Accuracy"
    assert import_class(name_of(Given), plugins=("test_codec", "tests", "core")) is Given


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({}, "`use`"),
        (3, "`use`"),
        ({"use": 3}, "`use`"),
        ({"use": "learning.Finetun"}, "Did you mean Finetune"),
        ({"use": "os:system"}, "may not import"),
        ({"use": "nothing.at.All"}, "no nothing"),
        ({"use": ""}, "There is no"),
        ({"use": "learning.fit"}, "There is no"),
        ({"use": "core.step.Step"}, "There is no"),
        ({"use": "learning.accuracy.wilson"}, "There is no"),
        ({"use": "learning.Accuracy"}, "not a Step"),
        ({"use": "learning.Finetune", "epoch": 3}, "Did you mean epochs"),
        ({"use": "learning.Finetune", "zzz": 3}, "It has"),
        ({"use": "learning.Finetune", "epochs": "3"}, "does not fit"),
        ({"use": "learning.Finetune", "epochs": 2.5}, "does not fit"),
        ({"use": "learning.Finetune", "epochs": True}, "does not fit"),
        ({"use": "learning.Finetune", "epochs": 0}, "does not fit"),
        ({"use": "learning.Finetune", "epochs": 2**60}, "too large"),
        ({"use": "learning.Finetune", "average": float("nan")}, "not a finite"),
        ({"use": "learning.Finetune", "optimizer": {"use": "models.MLP"}}, "does not fit"),
    ],
)
def test_what_is_wrong_is_said(table, said):
    with pytest.raises(BadRecipe, match=said):
        decode(table, Step)


def test_the_place_of_a_mistake_is_told():
    table = {"use": "learning.Finetune", "optimizer": {"use": "training.AdamW", "ls": 1.0}}
    with pytest.raises(BadRecipe) as found:
        decode(table, Step, where="steps[2]")
    assert found.value.where == "steps[2].optimizer.ls"


def test_fields_without_a_default_are_asked_for():
    with pytest.raises(BadRecipe, match="needs a value for needed"):
        construct(Given, {}, where="")
    with pytest.raises(BadRecipe, match="bad luck"):
        construct(Given, {"needed": 13}, where="")
    made = construct(Given, {"needed": 1, "words": ["a"], "maybe": 2.0}, where="")
    assert made == Given(needed=1, words=("a",), maybe=2.0)


@few
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=8), x, max_size=3),
        max_leaves=6,
    )
)
def test_rubbish_is_a_bad_recipe_and_nothing_else(value):
    for field in ("epochs", "optimizer", "average", "patience"):
        try:
            decode({"use": "learning.Finetune", field: value}, Step)
        except BadInput:
            continue
