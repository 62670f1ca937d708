import pytest

from fivefold.recipe.tomlfile import line_of, read_toml

TEXT = """\
name = "x"
[data]
use = "data.Table"
[[steps]]
use = "a"

[[steps]]
use = "b"
optimizer = { use = "c", lr = 1 }
[steps.nested]
deep = 1
"""


@pytest.mark.parametrize(
    ("inner", "line"),
    [
        ("name", 1),
        ("data", 2),
        ("data.use", 3),
        ("data.nothing", 2),
        ("steps[0]", 4),
        ("steps[0].use", 5),
        ("steps[1]", 7),
        ("steps[1].use", 8),
        ("steps[1].optimizer.lr", 9),
        ("steps[2].use", 0),
        ("nowhere", 0),
    ],
)
def test_a_place_is_found_by_its_line(inner, line):
    assert line_of(TEXT, inner) == line


def test_a_file_is_read_with_its_text(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text("\ufeff" + TEXT, encoding="utf-8")
    assert read_toml(path).table["steps"][1]["use"] == "b"
    assert read_toml(path).place("steps[1].use") == f"{path}:8 (steps[1].use)"
