"""Recipes that cannot be: each is refused with what, where and how to mend it, before anything runs."""

import re

import pytest

from fivefold.core.errors import BadRecipe
from fivefold.core.text import chinese
from fivefold.recipe import read_recipe

GOOD = """\
name = "good"
preset = "none"
[data]
use = "data.Bundled"
name = "digits"
[model]
use = "models.MLP"
hidden = [8]
[[steps]]
name = "plain"
use = "learning.Finetune"
epochs = 2
[[probes]]
use = "learning.Accuracy"
"""


def change(old: str, new: str) -> bytes:
    assert old in GOOD
    return GOOD.replace(old, new).encode()


# what is wrong -> (content of the file, the line that the message must name or 0, a word it must say)
BAD: dict[str, tuple[bytes, int, str]] = {
    "empty": (b"", 0, "[data]"),
    "only a comment": (b"# nothing\n", 0, "[data]"),
    "no model": (b'[data]\nuse = "data.Bundled"\n', 0, "[model]"),
    "not TOML": (b"name = \n", 1, "TOML"),
    "a string without quotes": (change('"good"', "good"), 1, "TOML"),
    "an open string": (change('"good"', '"good'), 1, "TOML"),
    "an open table": (change("[data]", "[data"), 3, "TOML"),
    "a key twice": (change("epochs = 2", "epochs = 2\nepochs = 3"), 13, "TOML"),
    "a table twice": (change("[model]", "[data]"), 6, "TOML"),
    "JSON": (b'{"name": "x"}', 1, "TOML"),
    "YAML": (b"name: x\nsteps:\n  - use: y\n", 1, "TOML"),
    "NUL bytes": (change("good", "go\0od"), 1, "TOML"),
    "a NUL file": (b"\0" * 100, 1, "TOML"),
    "bad UTF-8": (GOOD.encode() + b'x = "\xff\xfe"\n', 15, "UTF-8"),
    "GBK": (change("good", "good") + '# 诊断\n'.encode("gbk"), 15, "UTF-8"),
    "UTF-16": (GOOD.encode("utf-16"), 1, "UTF-8"),
    "a million bytes": (b"# " + b"x" * 1_000_001, 0, "bytes"),
    "an unknown key": (b"colour = 1\n" + GOOD.encode(), 1, "colour"),
    "a misspelt table": (change("[[probes]]", "[[prubes]]"), 13, "prubes"),
    "name is a number": (change('"good"', "3"), 1, "name"),
    "name is a path": (change('"good"', '"../../etc/passwd"'), 1, "name"),
    "name has a slash": (change('"good"', '"a/b"'), 1, "name"),
    "name is empty": (change('"good"', '""'), 1, "name"),
    "name is endless": (change('"good"', f'"{"x" * 61}"'), 1, "name"),
    "seed is a word": (b'seed = "one"\n' + GOOD.encode(), 1, "seed"),
    "seed is true": (b"seed = true\n" + GOOD.encode(), 1, "seed"),
    "an unknown preset": (change('"none"', '"slow"'), 2, "slow"),
    "plugins is a word": (b'plugins = "os"\n' + GOOD.encode(), 1, "plugins"),
    "plugins holds a number": (b"plugins = [1]\n" + GOOD.encode(), 1, "plugins"),
    "data is a word": (b'data = "x"\n[model]\nuse = "models.MLP"\n', 1, "use"),
    "data has no use": (change('use = "data.Bundled"\n', ""), 3, "use"),
    "use is a number": (change('"data.Bundled"', "7"), 4, "use"),
    "an unknown source": (change("data.Bundled", "data.Bundle"), 4, "Bundled"),
    "an unknown package": (change("data.Bundled", "nowhere.Bundled"), 4, "nowhere.Bundled"),
    "an unknown bundled set": (change('"digits"', '"iris2"'), 5, "iris2"),
    "a misspelt field of data": (change('name = "digits"', 'nane = "digits"'), 5, "name"),
    "a step as the model": (change('"models.MLP"\nhidden = [8]', '"learning.Finetune"'), 7, "Architecture"),
    "hidden is a word": (change("[8]", '"8"'), 8, "hidden"),
    "hidden holds a word": (change("[8]", '[8, "x"]'), 8, "hidden"),
    "a layer of width nought": (change("[8]", "[0]"), 8, "hidden"),
    "a layer of negative width": (change("[8]", "[-3]"), 8, "hidden"),
    "a layer of huge width": (change("[8]", f"[{10**30}]"), 8, "large"),
    "steps is a table": (change("[[steps]]", "[steps]"), 9, "steps"),
    "a step without use": (change('use = "learning.Finetune"\n', ""), 9, "use"),
    "an unknown step": (change("learning.Finetune", "learning.Finetun"), 11, "Finetune"),
    "an unknown pillar": (change("learning.Finetune", "magic.Wand"), 11, "magic.Wand"),
    "a function as a step": (change("learning.Finetune", "training.fit.fit"), 11, "fit"),
    "a probe as a step": (change('"learning.Finetune"\nepochs = 2', '"learning.Accuracy"'), 11, "Step"),
    "an abstract step": (change("learning.Finetune", "core.step.Step"), 11, "Step"),
    "import of os:system": (change("learning.Finetune", "os:system"), 11, "os"),
    "import of os.system": (change("learning.Finetune", "os.system"), 11, "os.system"),
    "import of a dunder": (change("learning.Finetune", "core.codec.__builtins__"), 11, "__builtins__"),
    "import of subprocess:Popen": (change("learning.Finetune", "subprocess:Popen"), 11, "subprocess"),
    "import through a module": (change("learning.Finetune", "fivefold.core.codec:import_module"), 11, "import_module"),
    "import of a look-alike": (change("learning.Finetune", "fivefold_evil:Step"), 11, "fivefold_evil"),
    "a relative import": (change("learning.Finetune", "..os:system"), 11, "os"),
    "an empty use": (change("learning.Finetune", ""), 11, ""),
    "a plug-in that is not there": (
        b'plugins = ["absent_package"]\n' + change("learning.Finetune", "absent_package:Step"), 12, "absent_package",
    ),
    "a plug-in class that is no step": (
        b'plugins = ["pathlib"]\n' + change("learning.Finetune", "pathlib:Path"), 12, "pathlib",
    ),
    "a misspelt field": (change("epochs = 2", "epoch = 2"), 12, "epochs"),
    "epochs is a word": (change("epochs = 2", 'epochs = "2"'), 12, "epochs"),
    "epochs is a fraction": (change("epochs = 2", "epochs = 2.5"), 12, "epochs"),
    "epochs is true": (change("epochs = 2", "epochs = true"), 12, "epochs"),
    "epochs is nought": (change("epochs = 2", "epochs = 0"), 12, "epochs"),
    "epochs is negative": (change("epochs = 2", "epochs = -1"), 12, "epochs"),
    "epochs is NaN": (change("epochs = 2", "epochs = nan"), 12, "epochs"),
    "epochs is infinite": (change("epochs = 2", "epochs = inf"), 12, "epochs"),
    "epochs is huge": (change("epochs = 2", f"epochs = {10**40}"), 12, "large"),
    "epochs is a date": (change("epochs = 2", "epochs = 2026-01-01"), 12, "epochs"),
    "epochs is a table": (change("epochs = 2", "epochs = { a = 1 }"), 12, "epochs"),
    "epochs is a list": (change("epochs = 2", "epochs = [2]"), 12, "epochs"),
    "an unknown optimizer": (change("epochs = 2", 'optimizer = { use = "training.Adem" }'), 12, "Adem"),
    "a probe as the optimizer": (change("epochs = 2", 'optimizer = { use = "learning.Accuracy" }'), 12, "optimizer"),
    "an optimizer by its name": (change("epochs = 2", 'optimizer = "adam"'), 12, "optimizer"),
    "a misspelt learning rate": (change("epochs = 2", 'optimizer = { use = "training.AdamW", rl = 1.0 }'), 12, "rl"),
    "a learning rate that is a word": (
        change("epochs = 2", 'optimizer = { use = "training.AdamW", lr = "big" }'), 12, "lr",
    ),
    "a negative learning rate": (change("epochs = 2", 'optimizer = { use = "training.AdamW", lr = -1.0 }'), 12, "lr"),
    "an unknown parent": (change('name = "plain"', 'name = "plain"\nafter = "nothing"'), 11, "nothing"),
    "its own parent": (change('name = "plain"', 'name = "plain"\nafter = "plain"'), 11, "plain"),
    "a parent that is a number": (change('name = "plain"', 'name = "plain"\nafter = 1'), 11, "1"),
    "a stage called start": (change('name = "plain"', 'name = "start"'), 10, "start"),
    "a stage name with a path": (change('name = "plain"', 'name = "../x"'), 10, "name"),
    "a stage twice": (
        GOOD.encode() + b'[[steps]]\nname = "plain"\nuse = "learning.Finetune"\n', 16, "plain",
    ),
    "an unknown probe": (change("learning.Accuracy", "learning.Acuracy"), 14, "Accuracy"),
    "a step as a probe": (change("learning.Accuracy", "learning.Finetune"), 14, "Probe"),
    "a misspelt field of a probe": (change('use = "learning.Accuracy"', 'use = "learning.Accuracy"\nfoo = 1'), 15, "foo"),
    "probes is a word": (b'probes = "all"\n' + GOOD.partition("[[probes]]")[0].encode(), 1, "probes"),
    "a probe as a comparison": (
        GOOD.encode() + b'[[comparisons]]\nuse = "learning.Accuracy"\n', 16, "Comparison",
    ),
    "policy is a word": (b'policy = "strict"\n' + GOOD.encode(), 1, "policy"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_recipe_is_refused_with_its_place(name, tmp_path):
    content, line, word = BAD[name]
    path = tmp_path / "recipe.toml"
    path.write_bytes(content)
    with pytest.raises(BadRecipe) as caught:
        read_recipe(path)
    error = caught.value
    assert error.code == 3
    assert error.mend, "it does not say how to mend it"
    assert str(path) in error.where
    found = re.search(r":(\d+)", error.where.removeprefix(str(path)))
    assert (int(found[1]) if found else 0) == line, error.where
    assert word in str(error)
    assert list(tmp_path.iterdir()) == [path], "something was written"


@pytest.mark.parametrize("name", BAD)
def test_a_bad_recipe_is_refused_in_chinese_too(name, tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_bytes(BAD[name][0])
    with pytest.raises(BadRecipe) as caught:
        read_recipe(path)
    assert caught.value.what.template in chinese()
    assert "位置" in caught.value.words("zh")


def test_the_good_one_is_good(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(GOOD)
    assert [s.name for s in read_recipe(path).steps] == ["plain"]


@pytest.mark.parametrize("what", ["absent", "folder"])
def test_a_path_that_is_no_file_is_refused(what, tmp_path):
    path = tmp_path if what == "folder" else tmp_path / "absent.toml"
    with pytest.raises(BadRecipe, match="cannot be read"):
        read_recipe(path)


def test_at_least_eighty_are_tried():
    assert len(BAD) >= 80
