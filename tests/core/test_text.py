from fivefold.core.errors import BadInput, Damaged, GateFailed, LimitReached, MissingExtra
from fivefold.core.text import Text, text, translate

SENTENCE = "There are no training examples."


def test_facts_are_put_in_when_somebody_reads():
    said = text("{name} is {share}", name="a", share=0.123456)
    assert str(said) == "a is 0.1235"
    assert said == Text("{name} is {share}", {"name": "a", "share": 0.123456})


def test_chinese_is_used_where_there_is_some():
    assert text(SENTENCE).words("zh") != SENTENCE
    assert translate("nobody has said this", "zh") == "nobody has said this"
    assert text("{what}", what=SENTENCE).words("zh") == translate(SENTENCE, "zh")


def test_braces_in_facts_are_left_alone():
    assert str(text("{problem}", problem="{x} {0}")) == "{x} {0}"


def test_an_empty_sentence_is_false():
    assert not Text("")
    assert text("x")


def test_an_error_says_what_where_and_how():
    error = BadInput("No {name}.", where="a.csv", mend="Add {name}.", name="rows")
    assert str(error) == "No rows.\nWhere: a.csv\nAdd rows."
    assert str(error.at("b.csv")) == "No rows.\nWhere: b.csv\nAdd rows."
    assert "位置: b.csv" in error.words("zh")


def test_exit_codes_are_the_documented_ones():
    kinds = (BadInput, GateFailed, Damaged, MissingExtra, LimitReached)
    assert [k.code for k in kinds] == [3, 4, 5, 6, 7]
