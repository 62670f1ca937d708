"""One thing changes in a finished run: exactly what depends on it is done again."""

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

import fivefold
from cli.outside import outside
from fivefold.recipe import key, measure, recipe_from, run, walk

STAGES = ("start", "plain", "small", "other")
PROBES = ("Accuracy", "Calibration")
ALL = {(stage, probe) for stage in STAGES for probe in PROBES}
AGAIN = """
import json, sys, tomllib
from pathlib import Path
import torch
from fivefold.recipe import key, recipe_from, run
torch.set_num_threads(int(sys.argv[2]))
folder, helper = Path(sys.argv[1]), sys.argv[3:]

def again():
    recipe = recipe_from(json.loads((folder / "recipe.json").read_text()), folder=folder)
    return [s.name for s in run(recipe, folder / "runs").stages if not s.was_cached]

told = [again()]
for path in helper:
    Path(path).write_text(Path(path).read_text() + "\\n\\ndef unused() -> int:\\n    return 1\\n")
    key.code_hash.cache_clear(), key._setting.cache_clear()
    told.append(again())
print(json.dumps(told))
"""


@dataclass
class World:
    """What a run depends on, and what was done in the latest one."""

    folder: Path
    recipe: dict[str, Any]
    patch: pytest.MonkeyPatch

    def again(self) -> tuple[set[str], set[tuple[str, str]]]:
        """Run; return which steps were carried out and which probes were asked at which stage."""
        asked: list[tuple[str, str]] = []
        ask, ask_all = measure._ask, walk.measure
        stage = [""]

        def noted(name: str, probe: object, *rest: Any) -> Any:
            asked.append((stage[0], type(probe).__name__))
            return ask(name, probe, *rest)  # type: ignore[arg-type]

        def noted_all(folder: Any, *rest: Any) -> Any:
            stage[0] = folder.path.name.partition("-")[2]
            return ask_all(folder, *rest)

        with self.patch.context() as patch:
            patch.setattr(measure, "_ask", noted)
            patch.setattr(walk, "measure", noted_all)
            done = run(recipe_from(self.recipe, folder=self.folder), self.folder / "runs")
        assert len(asked) == len(set(asked))
        return {s.name for s in done.stages if not s.was_cached}, set(asked)

    def step(self, name: str) -> dict[str, Any]:
        """Return the table of a step."""
        return next(s for s in self.recipe["steps"] if s["name"] == name)

    def rows(self, change: Callable[[list[list[str]]], object]) -> None:
        """Change the rows of the data."""
        path = self.folder / "people.csv"
        with path.open(newline="") as file:
            rows = list(csv.reader(file))
        change(rows)
        with path.open("w", newline="") as file:
            csv.writer(file).writerows(rows)


def people() -> list[list[str]]:
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(80, 2, generator=draw)
    rows = [[f"{a:.4f}", f"{b:.4f}", "yes" if a + b > 0 else "no"] for a, b in x.tolist()]
    return [["a", "b", "ill"], *rows]


def table() -> dict[str, Any]:
    """Return a recipe with a chain of two steps and a branch."""
    return {
        "name": "mutated",
        "preset": "none",
        "data": {"use": "data.Table", "path": "people.csv", "target": "ill"},
        "model": {"use": "models.MLP", "hidden": [4]},
        "steps": [
            {"name": "plain", "use": "learning.Finetune", "epochs": 1},
            {"name": "small", "use": "efficiency.Prune"},
            {"name": "other", "after": "start", "use": "learning.Finetune", "epochs": 2},
        ],
        "probes": [{"use": "learning.Accuracy"}, {"use": "generalization.Calibration"}],
        "policy": {"limits": [{"evidence": "learning.accuracy", "at_least": 0.1}]},
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mutations")
    with (folder / "people.csv").open("w", newline="") as file:
        csv.writer(file).writerows(people())
    run(recipe_from(table(), folder=folder), folder / "runs")
    return folder


@pytest.fixture
def world(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    folder = Path(shutil.copytree(finished, tmp_path / "world"))
    return World(folder, table(), monkeypatch)


def one_row(world: World) -> None:
    world.rows(lambda rows: rows[5].__setitem__(0, "0.1234"))


def a_data_option(world: World) -> None:
    world.recipe["data"]["split"] = {"use": "data.Random", "test": 0.3}


def a_step_parameter(world: World) -> None:
    world.step("small")["share"] = 0.25


def a_probe_parameter(world: World) -> None:
    world.recipe["probes"][1]["resamples"] = 150


def the_seed(world: World) -> None:
    world.recipe["seed"] = 1


def the_thread_count(world: World) -> None:
    n = torch.get_num_threads()
    world.patch.setattr(torch, "get_num_threads", lambda: n + 1)


def a_library(world: World) -> None:
    real = key.version
    changed: Callable[[str], str] = lambda name: "9.9" if name == "scikit-learn" else real(name)  # noqa: E731
    world.patch.setattr(key, "version", changed)
    key._setting.cache_clear()


def the_order_of_branches(world: World) -> None:
    plain, small, other = world.recipe["steps"]
    world.recipe["steps"] = [other, plain | {"after": "start"}, small]


def the_order_in_a_chain(world: World) -> None:
    plain, small, other = world.recipe["steps"]
    world.recipe["steps"] = [small, plain, other]


def a_name(world: World) -> None:
    world.step("other")["name"] = "another"


def one_probe_more(world: World) -> None:
    world.recipe["probes"].append({"use": "learning.AUC"})


def the_policy(world: World) -> None:
    world.recipe["policy"]["limits"][0]["at_least"] = 0.9


def at(*stages: str) -> set[tuple[str, str]]:
    return {(stage, probe) for stage in stages for probe in PROBES}


# what changes -> (steps that are carried out again, probes that are asked again)
MUTATIONS: dict[Callable[[World], None], tuple[set[str], set[tuple[str, str]]]] = {
    one_row: (set(STAGES), ALL),
    a_data_option: (set(STAGES), ALL),
    a_step_parameter: ({"small"}, at("small")),
    a_probe_parameter: (set(), {(stage, "Calibration") for stage in STAGES}),
    the_seed: (set(STAGES), ALL),
    the_thread_count: (set(STAGES), ALL),
    a_library: (set(STAGES), ALL),
    the_order_of_branches: (set(), set()),
    the_order_in_a_chain: ({"small", "plain"}, at("small", "plain")),
    a_name: ({"another"}, at("another")),
    one_probe_more: (set(), {(stage, "AUC") for stage in STAGES}),
    the_policy: (set(), set()),
}


def test_nothing_has_changed(world):
    assert world.again() == (set(), set())


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda m: m.__name__)
def test_a_change_does_again_exactly_what_depends_on_it(mutate, world):
    mutate(world)
    try:
        assert world.again() == MUTATIONS[mutate]
        assert world.again() == (set(), set())
    finally:
        key._setting.cache_clear()


def copied(world: World) -> Path:
    """Return a folder with a copy of the package."""
    home = Path(fivefold.__file__).parent
    to = world.folder / "home/fivefold"
    shutil.copytree(home, to, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    return to


def outsider(world: World, *changed: Path) -> list[list[str]]:
    """Run the recipe in a process that imports the copy; return which steps it carried out.

    Then once more for each file in `changed`, to which a function has been added.
    """
    (world.folder / "recipe.json").write_text(json.dumps(world.recipe))
    path = f"{world.folder / 'home'}:{outside()['PYTHONPATH']}"
    told = [sys.executable, "-c", AGAIN, str(world.folder), str(torch.get_num_threads()), *map(str, changed)]  # fmt: skip
    done = subprocess.run(
        told, capture_output=True, text=True, env=outside(PYTHONPATH=path), timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def test_a_helper_in_the_package_changes(world):
    home = copied(world)
    assert outsider(world, home / "core/loss.py") == [[], list(STAGES)]


@pytest.mark.slow
def test_a_helper_in_the_package_has_changed_between_two_processes(world):
    file = copied(world) / "core/loss.py"
    assert outsider(world) == [[]]
    file.write_text(file.read_text() + "\n\ndef unused() -> int:\n    return 1\n")
    assert outsider(world) == [list(STAGES)]


PLUGIN = '''
from dataclasses import dataclass
from fivefold.core.step import Step

def helper():
    return 1

@dataclass(frozen=True, kw_only=True)
class Nothing(Step):
    def __call__(self, model, seen, *, rng):
        helper()
        return model
'''  # fmt: skip


@pytest.mark.parametrize("layout", ["mutable_module.py", "mutable_package/__init__.py"])
def test_the_code_of_a_plugin_changes(layout, world):
    file = world.folder / layout
    file.parent.mkdir(exist_ok=True)
    file.write_text(PLUGIN)
    name = layout.partition("/")[0].removesuffix(".py")
    world.patch.syspath_prepend(str(world.folder))
    world.recipe |= {"name": "foreign", "plugins": [name]}
    world.recipe["steps"][1:] = [{"name": "nothing", "use": f"{name}:Nothing"}]
    stages = {"start", "plain", "nothing"}
    assert world.again() == (stages, at(*stages))
    assert world.again() == (set(), set())
    file.write_text(PLUGIN.replace("return 1", "return 2"))
    key.code_hash.cache_clear()
    assert world.again() == (stages, at(*stages))


def test_the_device_is_part_of_the_key(world):
    recipe = recipe_from(world.recipe, folder=world.folder)
    data = recipe.data.load(world.folder, torch.Generator().manual_seed(0))
    folder = walk.RunFolder(world.folder / "runs/mutated")
    keys = {
        walk.Walk(recipe=recipe, data=data, folder=folder, device=device)._key(0, step="any")
        for device in ("cpu", "cuda")
    }
    assert len(keys) == 2
